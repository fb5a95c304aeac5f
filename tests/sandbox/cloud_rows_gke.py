"""Google's rules on clusters and node pools: what breaks each, and what the cloud says."""

from typing import Any

from tests.sandbox.cloud_client import PROJECT, REGION, REMOVED, ZONE
from tests.sandbox.cloud_rows import PROVIDER, Row

ADDITIONAL = "networkConfig.additionalNodeNetworkConfigs"


def pools(**changes: Any) -> dict[str, Any]:
    return {f"nodeConfig.{name}": value for name, value in changes.items()}


GKE = [
    Row("cluster-name", "cluster", {"name": "c" * 41}, "cannot be longer than 40 characters"),
    Row("cluster-name", "cluster", {"name": "h200_cluster"}, "lowercase letters, numbers and hyphens"),
    Row("cluster-name", "cluster", {"name": "2-h"}, "must start with a letter"),
    Row("cluster-name", "cluster", {"name": "h-"}, "must end with a number or a letter"),
    Row("cluster-location", "cluster", {"location": "us-central1-z"}, 'Location "us-central1-z" does not exist'),
    Row("cluster-node-locations", "cluster", {"nodeLocations": ["us-east4-a"]}, 'not a zone of region "us-central1"'),
    Row(
        "cluster-node-locations",
        "cluster",
        {"location": ZONE, "nodeLocations": [ZONE]},
        "should not contain the original 'zone'",
    ),
    Row(
        "cluster-version-offered",
        "cluster",
        {"minMasterVersion": "1.33"},
        'No valid versions with the prefix "1.33" found',
    ),
    Row(
        "cluster-version-offered",
        "cluster",
        {"minMasterVersion": "1.36", "releaseChannel.channel": "STABLE"},
        'No valid versions with the prefix "1.36" found',
    ),
    Row(
        PROVIDER,
        "cluster",
        {"maintenancePolicy": {"maintenanceExclusions": [{"exclusionName": "x", "startTime": "2026-11-20T00:00:00Z"}]}},
        "maintenancePolicy: one of `dailyMaintenanceWindow`, `recurringMaintenanceWindow`, `recurringWindow` must be",
    ),
    Row(
        PROVIDER,
        "cluster",
        {"ipAllocationPolicy.clusterIpv4CidrBlock": "10.8.0.0/14"},
        "ipAllocationPolicy.clusterIpv4CidrBlock: conflicts with ipAllocationPolicy.clusterSecondaryRangeName",
    ),
    Row(PROVIDER, "cluster", {"releaseChannel.channel": "SLOW"}, "expected releaseChannel.channel to be one of"),
    Row(
        "cluster-initial-nodes",
        "cluster",
        {"initialNodeCount": REMOVED},
        "initial_node_count must be greater than zero",
    ),
    Row("cluster-sandbox-subset", "cluster", {"removeDefaultNodePool": REMOVED}, "has no default node pools"),
    Row(
        "cluster-sandbox-subset",
        "cluster",
        {"nodePools": [{"name": "x"}]},
        "no Autopilot clusters and no inline node pools",
    ),
    Row("cluster-multi-network-datapath", "cluster", {"datapathProvider": REMOVED}, "requires GKE Dataplane V2"),
    Row(
        "cluster-multi-network-vpc-native", "cluster", {"ipAllocationPolicy": REMOVED}, "requires a VPC-native cluster"
    ),
    Row(
        "cluster-workload-pool",
        "cluster",
        {"workloadIdentityConfig.workloadPool": "other.svc.id.goog"},
        f'currently only "{PROJECT}.svc.id.goog" is',
    ),
    Row(
        "cluster-master-range",
        "cluster",
        {"privateClusterConfig.masterIpv4CidrBlock": "172.16.0.0/24"},
        "must be a /28",
    ),
    Row(
        "cluster-network-exists",
        "cluster",
        {"network": "default"},
        f'Network "default" does not exist in project "{PROJECT}"',
    ),
    Row("cluster-roce-network", "cluster", {"network": "h200-roce"}, f"has profile {ZONE}-vpc-roce"),
    Row("cluster-subnetwork-exists", "cluster", {"subnetwork": "h200-gvnic"}, "not found for network"),
    Row(
        "cluster-subnetwork-exists",
        "cluster",
        {"location": "us-east4", "subnetwork": "h200-nodes"},
        "not found for network",
    ),
    Row("cluster-subnetwork-exists", "cluster", {"subnetwork": REMOVED}, "requires a subnetwork to be given"),
    Row(
        "cluster-secondary-ranges",
        "cluster",
        {"ipAllocationPolicy.clusterSecondaryRangeName": "pod"},
        'Pod secondary range "pod" does not exist in subnetwork "h200-nodes"',
    ),
    Row(
        "cluster-secondary-ranges",
        "cluster",
        {"ipAllocationPolicy.servicesSecondaryRangeName": "pods"},
        "must differ",
    ),
    Row(
        "cluster-master-overlap",
        "cluster",
        {"privateClusterConfig.masterIpv4CidrBlock": "10.0.0.0/28"},
        "10.0.0.0/28 conflicts with 10.0.0.0/20",
    ),
    Row(
        "cluster-service-account-exists",
        "cluster",
        pools(serviceAccount=f"other@{PROJECT}.iam.gserviceaccount.com"),
        "does not exist",
    ),
    Row("pool-name", "h200", {"name": "p" * 41}, "Invalid node pool name"),
    Row("pool-node-count", "h200", {"initialNodeCount": 2}, "Cannot set both initial_node_count and node_count"),
    Row("pool-node-count", "h200", {"autoscaling": {"maxNodeCount": 2}}, "node_count alongside autoscaling"),
    Row(
        "pool-autoscaling-bounds",
        "system",
        {"nodeCount": REMOVED, "autoscaling": {"minNodeCount": 3, "maxNodeCount": 2}},
        "minNodeCount exceeds maxNodeCount",
    ),
    Row(
        "pool-autoscaling-bounds",
        "system",
        {"nodeCount": REMOVED, "autoscaling": {"minNodeCount": 1, "totalMaxNodeCount": 2}},
        "minNodeCount cannot be used with totalMaxNodeCount",
    ),
    Row("pool-surge", "h200", {"upgradeSettings.maxUnavailable": 0}, "must not both be 0"),
    Row("pool-max-pods", "h200", {"maxPodsPerNode": 4}, "between 8 and 256"),
    Row("pool-locations", "h200", {"nodeLocations": ["us-east4-b"]}, 'not a zone of region "us-central1"'),
    Row(
        "pool-compact-placement",
        "h200",
        {"placementPolicy": {"type": "COMPACT"}, "nodeLocations": [ZONE, "us-central1-c"]},
        "single zone",
    ),
    Row(
        "pool-compact-placement", "h200", {"placementPolicy": {"type": "COMPACT"}, "nodeCount": 97}, "at most 96 nodes"
    ),
    Row(
        "pool-compact-placement",
        "h200",
        {
            "placementPolicy": {"type": "COMPACT"},
            "networkConfig": REMOVED,
            **pools(
                machineType="a4x-highgpu-4g",
                guestAccelerators=REMOVED,
                spot=REMOVED,
                reservationAffinity={
                    "consumeReservationType": "SPECIFIC_RESERVATION",
                    "key": "compute.googleapis.com/reservation-name",
                    "values": ["gb200"],
                },
            ),
        },
        "does not support compact placement",
    ),
    Row(
        "pool-nic-count",
        "h200",
        {ADDITIONAL: [{"network": "a", "subnetwork": "b"}]},
        "has 9 additional network interfaces, but 1",
    ),
    Row(
        "pool-network-twice",
        "h200",
        {f"{ADDITIONAL}[8].subnetwork": "h200-roce-0"},
        'Subnetwork "h200-roce-0" is used by more',
    ),
    Row("pool-cluster-exists", "h200", {"cluster": "other", "location": REGION}, "Not found: projects/"),
    Row("pool-location", "h200", {"location": "us-east4", "nodeLocations": REMOVED}, "is not its cluster's"),
    Row("pool-machine-everywhere", "h200", {"nodeLocations": REMOVED}, 'does not exist in zone "us-central1-a"'),
    Row(
        "pool-service-account-exists",
        "h200",
        pools(serviceAccount=f"other@{PROJECT}.iam.gserviceaccount.com"),
        "does not exist",
    ),
    Row(
        "pool-policy-exists",
        "h200",
        {"placementPolicy": {"type": "COMPACT", "policyName": "other"}},
        "resourcePolicies/other'",
    ),
    Row(
        "pool-multi-networking",
        "h200",
        {},
        "require a cluster with multi-networking",
        {"cluster": {"enableMultiNetworking": False}},
    ),
    Row("pool-networks-exist", "h200", {f"{ADDITIONAL}[0].network": "other"}, "networks/other' was not found"),
    Row("pool-networks-exist", "h200", {f"{ADDITIONAL}[0].subnetwork": "other"}, "subnetworks/other' was not found"),
    Row("pool-networks-exist", "h200", {f"{ADDITIONAL}[0].network": "h200-roce"}, "does not belong to network"),
    Row(
        "pool-network-is-clusters",
        "h200",
        {f"{ADDITIONAL}[0]": {"network": "h200-vpc", "subnetwork": "h200-nodes"}},
        "is the cluster's own network",
    ),
    Row(
        "pool-nic-kinds",
        "h200",
        {
            f"{ADDITIONAL}[0]": {"network": "h200-roce", "subnetwork": "h200-roce-0"},
            f"{ADDITIONAL}[1]": {"network": "h200-gvnic", "subnetwork": "h200-gvnic"},
        },
        'interface 1 of a3-ultragpu-8g is gVNIC, but network "h200-roce" takes MRDMA interfaces only',
    ),
    Row(
        "pool-network-overlap",
        "h200",
        {},
        'Range 10.0.8.0/24 of subnetwork "h200-gvnic" overlaps 10.0.0.0/20 of "h200-nodes"',
        {"gvnic-subnet": {"ipCidrRange": "10.0.8.0/24"}},
    ),
    Row(
        "pool-roce-zone",
        "h200",
        {},
        f'Network "h200-roce" is bound to zone us-central1-a, not {ZONE}',
        {"roce-vpc": {"networkProfile": f"projects/{PROJECT}/global/networkProfiles/us-central1-a-vpc-roce"}},
    ),
    Row("pool-machine-type", "h200", pools(machineType="a3-ultragpu-4g"), '"a3-ultragpu-4g" does not exist'),
    Row("pool-machine-zone", "h200", {"nodeLocations": ["us-central1-a"]}, 'does not exist in zone "us-central1-a"'),
    Row(
        "pool-accelerators",
        "h200",
        {"nodeConfig.guestAccelerators[0].count": 4},
        "has 8 x nvidia-h200-141gb, but the node pool asks for 4 x nvidia-h200-141gb",
    ),
    Row(
        "pool-accelerators",
        "system",
        pools(guestAccelerators=[{"type": "nvidia-l4", "count": 1}]),
        "e2-standard-8 does not support guest accelerators",
    ),
    Row("pool-driver-image", "h200", pools(imageType="UBUNTU_CONTAINERD"), "LATEST is not supported by image type"),
    Row("pool-image-type", "h200", pools(imageType="COS"), "expected nodeConfig.imageType to be one of"),
    Row("pool-boot-disk", "h200", pools(diskType="pd-ssd"), "pd-ssd disk type cannot be used by a3-ultragpu-8g"),
    Row(
        "pool-boot-disk",
        "h200",
        pools(diskType=REMOVED, bootDisk={"diskType": "pd-balanced"}),
        "it takes hyperdisk-balanced",
    ),
    Row(
        "pool-local-ssd",
        "h200",
        pools(ephemeralStorageLocalSsdConfig={"localSsdCount": 16}),
        "takes 32 local SSDs, not 16",
    ),
    Row("pool-consumption", "h200", pools(spot=REMOVED), "a3-ultragpu-8g is not offered on demand"),
    Row("pool-consumption", "h200", pools(spot=False, machineType="a4x-highgpu-4g"), "ways to have it: reservation"),
    Row(
        "pool-reservation-affinity",
        "h200",
        pools(spot=REMOVED, reservationAffinity={"consumeReservationType": "SPECIFIC_RESERVATION"}),
        "exactly one value",
    ),
    Row(
        "pool-reservation-affinity",
        "h200",
        pools(reservationAffinity={"consumeReservationType": "NO_RESERVATION", "values": ["x"]}),
        "takes neither key nor values",
    ),
    Row(
        "pool-spot-reservation",
        "h200",
        pools(reservationAffinity={"consumeReservationType": "ANY_RESERVATION"}),
        "ANY_RESERVATION cannot be combined with spot",
    ),
    Row("pool-one-consumption", "h200", pools(flexStart=True), "spot and flexStart cannot be combined"),
    Row("pool-flex-start-repair", "h200", pools(spot=REMOVED, flexStart=True), "auto_repair to be false"),
    Row("pool-flex-start-count", "h200", pools(spot=REMOVED, flexStart=True), "start with 0 nodes"),
]
