"""What is at Google already in the tests of this folder: networks and a cluster of somebody else's, by id."""

from typing import Any

from tests.graph.recorder import PROJECT_ID

REGION = "us-central1"
CLUSTER = f"projects/{PROJECT_ID}/locations/{REGION}/clusters/shared"


def _subnetwork(network: str) -> dict[str, Any]:
    return {
        "network": f"https://www.googleapis.com/compute/v1/projects/{PROJECT_ID}/global/networks/{network}",
        "ipCidrRange": "172.16.0.0/16",
        "secondaryIpRanges": [
            {"rangeName": "pods", "ipCidrRange": "172.20.0.0/14"},
            {"rangeName": "another", "ipCidrRange": "172.24.0.0/14"},
            {"rangeName": "services", "ipCidrRange": "172.17.0.0/16"},
        ],
    }


EXISTING: dict[str, dict[str, Any]] = {
    **{
        f"projects/{project}/global/networks/{network}": {"name": network}
        for project in (PROJECT_ID, "acme-network")
        for network in ("shared", "another")
    },
    **{
        f"projects/{project}/regions/{REGION}/subnetworks/{subnetwork}": _subnetwork(network)
        for project in (PROJECT_ID, "acme-network")
        for subnetwork, network in (("gke", "shared"), ("another", "shared"), ("of-another", "another"))
    },
    CLUSTER: {
        "name": "shared",
        "masterVersion": "1.36.3-gke.1000000",
        "enableMultiNetworking": True,
        "datapathProvider": "ADVANCED_DATAPATH",
        "workloadIdentityConfig": {"workloadPool": f"{PROJECT_ID}.svc.id.goog"},
        "controlPlaneEndpointsConfig": {"dnsEndpointConfig": {"endpoint": "gke-0123.us-central1.gke.goog"}},
    },
    f"{CLUSTER}/nodePools/system": {"name": "system"},
}
