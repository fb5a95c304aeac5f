"""Google's rules on accelerator machines: versions, networks, DRANET and images; what breaks each."""

from tests.sandbox.cloud_client import PROJECT, ZONE
from tests.sandbox.cloud_rows import Row
from tests.sandbox.cloud_rows_capacity import (
    A4X,
    A4X_MAX,
    CAPACITY,
    DRANET,
    OLD,
    PLACED,
    PLACEMENT,
    POLICIES,
    machine,
    workload_policy,
)
from tests.sandbox.cloud_rows_gke import ADDITIONAL, pools

IMAGE = f"projects/{PROJECT}/global/images/vllm-cache"

MACHINES = [
    Row(
        "pool-version-above-cluster",
        "h200",
        {"version": "1.36.3-gke.1000000"},
        "must not be newer than its control plane's, 1.32.1-gke.1000000",
        OLD,
    ),
    Row(
        "pool-gke-version",
        "h200",
        machine("a3-highgpu-8g"),
        "a3-highgpu-8g is not supported in version 1.34.4-gke.2000000",
        {"cluster": {"masterVersion": "1.34.4-gke.2000000"}},
    ),
    Row(
        "pool-gke-version",
        "h200",
        {**A4X, **PLACED},
        "1.32.8-gke.1108000 or 1.33.4-gke.1036000 or later",
        {**OLD, **workload_policy("1x72")},
    ),
    Row("pool-rdma-image", "h200", pools(imageType="UBUNTU_CONTAINERD"), "GPUDirect RDMA of a3-ultragpu-8g"),
    Row(
        "pool-secure-boot",
        "h200",
        {**A4X_MAX, **pools(shieldedInstanceConfig={"enableSecureBoot": True})},
        "a4x-maxgpu-4g-metal does not support secure boot",
    ),
    Row(
        "pool-shielded-nodes",
        "h200",
        {**A4X_MAX, **PLACED},
        "a4x-maxgpu-4g-metal does not support Shielded GKE Nodes",
        workload_policy("1x72"),
    ),
]

NETWORKS = [
    Row(
        "pool-network-profile",
        "h200",
        {"networkConfig": {"acceleratorNetworkProfile": "manual"}},
        "acceleratorNetworkProfile to be one of",
    ),
    Row(
        "pool-network-profile-machine",
        "h200",
        {**machine("a2-highgpu-8g"), "networkConfig": {"acceleratorNetworkProfile": "auto"}},
        "a2-highgpu-8g does not support accelerator network profiles",
    ),
    Row(
        "pool-network-profile-alone",
        "h200",
        {"networkConfig.acceleratorNetworkProfile": "auto"},
        "cannot be combined with additional_node_network_configs",
    ),
    Row(
        "pool-multi-networking-machine",
        "h200",
        {
            **A4X_MAX,
            "networkConfig": {
                "additionalNodeNetworkConfigs": [
                    {"network": "h200-gvnic", "subnetwork": "h200-gvnic"},
                    {"network": "h200-roce", "subnetwork": "default-subnet-1-h200-roce"},
                ]
            },
        },
        "a4x-maxgpu-4g-metal does not support multi-networking",
    ),
    Row(
        "pool-dranet-machine",
        "h200",
        {**machine("a3-megagpu-8g"), **pools(labels=DRANET)},
        "a3-megagpu-8g does not support GKE managed DRANET",
    ),
    Row(
        "pool-dranet-zone",
        "h200",
        {
            **machine("a3-megagpu-8g"),
            "networkConfig": {"acceleratorNetworkProfile": "auto"},
            "nodeLocations": ["us-central1-a", ZONE],
        },
        "requires a node pool in a single zone",
    ),
    Row(
        "pool-dranet-datapath",
        "h200",
        pools(labels=DRANET),
        "requires a cluster with GKE Dataplane V2",
        {"cluster": {"datapathProvider": "LEGACY_DATAPATH"}},
    ),
    Row(
        "pool-dranet-version",
        "h200",
        pools(labels=DRANET),
        "GKE managed DRANET requires version 1.34.1-gke.1829001",
        {"cluster": {"masterVersion": "1.34.0-gke.2000000"}},
    ),
    Row(
        "pool-dranet-exclusive",
        "h200",
        {},
        "the node pool system uses the other way",
        {"system": {"nodeConfig.labels": DRANET}},
    ),
    Row(
        "pool-pod-addresses",
        "h200",
        {"nodeCount": 2},
        "IP_SPACE_EXHAUSTED: IP space of 'projects/sandbox-project/regions/us-central1/subnetworks/h200-nodes-pods' "
        "(10.4.0.0/23) is exhausted",
        {"nodes": {"secondaryIpRanges[0].ipCidrRange": "10.4.0.0/23"}},
    ),
    Row(
        "pool-node-addresses",
        "h200",
        {"nodeCount": 4},
        "subnetworks/h200-nodes' (10.0.0.0/29) is exhausted",
        {"nodes": {"ipCidrRange": "10.0.0.0/29"}},
    ),
    Row(
        "pool-nic-addresses",
        "h200",
        {"nodeCount": 5},
        "subnetworks/h200-roce-3' (192.168.152.0/29) is exhausted",
        {"roce-3": {"ipCidrRange": "192.168.152.0/29"}},
    ),
    Row(
        "pool-nic-count",
        "h200",
        {f"{ADDITIONAL}[8]": {"network": "h200-roce", "subnetwork": "x"}, **pools(machineType="a4-highgpu-8g")},
        "a4-highgpu-8g has 8 x nvidia-b200",
    ),
]

IMAGES = [
    Row(
        "pool-image-streaming-image",
        "system",
        pools(gcfsConfig={"enabled": True}, imageType="UBUNTU_CONTAINERD"),
        "Image streaming is not supported by image type UBUNTU_CONTAINERD",
    ),
    Row(
        "pool-image-streaming-api",
        "h200",
        pools(gcfsConfig={"enabled": True}),
        "containerfilesystem.googleapis.com has not been used in project",
    ),
    Row(
        "pool-secondary-disk",
        "h200",
        pools(secondaryBootDisks=[{"diskImage": "vllm-cache"}]),
        'Invalid disk image "vllm-cache"',
    ),
    Row(
        "pool-secondary-disk",
        "h200",
        pools(secondaryBootDisks=[{"diskImage": IMAGE, "mode": "CACHE"}]),
        "secondaryBootDisks.mode to be one of",
    ),
    Row(
        "pool-secondary-disk-streaming",
        "h200",
        pools(secondaryBootDisks=[{"diskImage": IMAGE, "mode": "CONTAINER_IMAGE_CACHE"}]),
        "as a container image cache requires image streaming",
    ),
]

ACCELERATORS = [*POLICIES, *CAPACITY, *PLACEMENT, *MACHINES, *NETWORKS, *IMAGES]
