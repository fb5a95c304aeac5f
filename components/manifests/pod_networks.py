"""GKE's two objects for a NIC that pods may ask for: its place in the VPC, and the name by which pods ask for it."""

from typing import Any

from components.manifests.types import Manifest


def parameter_set(name: str, device_mode: str, vpc: Any, subnetwork: Any) -> Manifest:
    """The object for the side of the VPC. `vpc` and `subnetwork` are names, known once they exist."""
    return {
        "apiVersion": "networking.gke.io/v1",
        "kind": "GKENetworkParamSet",
        "metadata": {"name": name},
        "spec": {"vpc": vpc, "vpcSubnet": subnetwork, "deviceMode": device_mode},
    }


def network(name: str) -> Manifest:
    """The object for the side of the pods. Health checks of other tools look for exactly this name."""
    return {
        "apiVersion": "networking.gke.io/v1",
        "kind": "Network",
        "metadata": {"name": name},
        "spec": {
            "type": "Device",
            "parametersRef": {"group": "networking.gke.io", "kind": "GKENetworkParamSet", "name": name},
        },
    }
