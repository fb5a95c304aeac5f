"""Google's rules on networks and identity, and on change and deletion: what breaks each, and what the cloud says."""

from dataclasses import dataclass, field
from typing import Any

from tests.sandbox.cloud_client import PROJECT, REGION, REMOVED, ZONE, h200_platform


@dataclass(frozen=True)
class Row:
    """Create a resource with these changes where all before it are there; the cloud answers with this."""

    rule: str
    resource: str
    changes: dict[str, Any]
    message: str
    before: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    """Changes to resources that are already there, as recorded."""


PROVIDER = "provider-schema"
"""Refusals that follow from the provider's schema. Each of its fields is tested elsewhere; here the cloud must apply
it."""

COMPUTE = [
    Row("service-name", "api-iam", {"service": "iam"}, "expected iam to be a domain"),
    Row(
        "network-name",
        "vpc",
        {"name": "VPC"},
        "'VPC'. Must be a match of regex '(?:[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?)'",
    ),
    Row("network-name", "vpc", {"name": "v" * 64}, "Must be a match of regex"),
    Row("network-mtu", "vpc", {"mtu": 9000}, "MTU must be between 1300 and 8896"),
    Row("network-profile-exists", "roce-vpc", {"networkProfile": f"{ZONE}-vpc-roce"}, "The URL is malformed"),
    Row(
        "network-profile-exists",
        "roce-vpc",
        {"networkProfile": f"projects/{PROJECT}/global/networkProfiles/us-central1-f-vpc-roce"},
        "networkProfiles/us-central1-f-vpc-roce' was not found",
    ),
    Row("network-profile-custom-mode", "roce-vpc", {"autoCreateSubnetworks": REMOVED}, "Auto mode is not supported"),
    Row("network-roce-mtu", "roce-vpc", {"mtu": 1460}, "requires an MTU of 8896"),
    Row("subnetwork-name", "nodes", {"name": "nodes_1"}, "Must be a match of regex"),
    Row("subnetwork-region", "nodes", {"region": "us-central9"}, "Unknown region"),
    Row("subnetwork-range-format", "nodes", {"ipCidrRange": "10.0.0.1/20"}, "Must be a CIDR address range"),
    Row("subnetwork-range-format", "nodes", {"ipCidrRange": "10.0.0.0/30"}, "between 4 and 29"),
    Row("subnetwork-range-prohibited", "nodes", {"ipCidrRange": "127.0.0.0/16"}, "not allowed in a VPC network"),
    Row(
        "subnetwork-ranges-disjoint",
        "nodes",
        {"secondaryIpRanges[0].ipCidrRange": "10.0.0.0/14"},
        "conflicts with 10.0.0.0/20 of the same subnetwork",
    ),
    Row("subnetwork-range-names", "nodes", {"secondaryIpRanges[0].rangeName": "services"}, "name is used twice"),
    Row(
        "subnetwork-network-exists",
        "nodes",
        {"network": "vpc"},
        f"'projects/{PROJECT}/global/networks/vpc' was not found",
    ),
    Row("subnetwork-auto-mode", "nodes", {}, "custom subnet mode", {"vpc": {"autoCreateSubnetworks": True}}),
    Row("subnetwork-roce-region", "roce-0", {"region": "us-east4"}, "allows subnetworks in region us-central1 only"),
    Row(
        "subnetwork-overlap",
        "roce-1",
        {"ipCidrRange": "192.168.128.0/18"},
        "192.168.128.0/18 conflicts with existing subnetwork 'h200-roce-0' in region 'us-central1'",
    ),
    Row(
        "subnetwork-overlap",
        "roce-1",
        {"secondaryIpRanges": [{"rangeName": "pods", "ipCidrRange": "192.168.132.0/24"}]},
        "conflicts with existing subnetwork 'h200-roce-0'",
    ),
    Row("router-name", "router", {"name": "-"}, "Must be a match of regex"),
    Row("router-region", "router", {"region": "mars"}, "Unknown region"),
    Row("router-network-exists", "router", {"network": "vpc"}, "global/networks/vpc' was not found"),
    Row("nat-name", "nat", {"name": "Nat"}, "Must be a match of regex"),
    Row("nat-region", "nat", {"region": "mars"}, "Unknown region"),
    Row("nat-manual-needs-addresses", "nat", {"natIps": REMOVED}, "requires at least one NAT IP"),
    Row("nat-manual-needs-addresses", "nat", {"natIpAllocateOption": "AUTO_ONLY"}, "cannot be given with AUTO_ONLY"),
    Row(
        "nat-ports",
        "nat",
        {"enableDynamicPortAllocation": True, "enableEndpointIndependentMapping": True},
        "Not supported with dynamic port allocation",
    ),
    Row("nat-ports", "nat", {"enableDynamicPortAllocation": True, "minPortsPerVm": 100}, "Must be a power of 2"),
    Row(
        "nat-ports",
        "nat",
        {"enableDynamicPortAllocation": True, "minPortsPerVm": 64, "maxPortsPerVm": 64},
        "Must be more than minPortsPerVm, 64",
    ),
    Row(
        "nat-listed-subnetworks",
        "nat",
        {"sourceSubnetworkIpRangesToNat": "LIST_OF_SUBNETWORKS"},
        "Subnetworks are listed",
    ),
    Row("nat-router-exists", "nat", {"router": "router"}, "routers/router' was not found"),
    Row("nat-addresses-exist", "nat", {"natIps[0]": "other"}, "addresses/other' was not found"),
    Row(
        "nat-subnetworks-exist",
        "nat",
        {
            "sourceSubnetworkIpRangesToNat": "LIST_OF_SUBNETWORKS",
            "subnetworks": [{"name": "other", "sourceIpRangesToNats": ["ALL_IP_RANGES"]}],
        },
        "subnetworks/other' was not found",
    ),
    Row("firewall-name", "firewall", {"name": "Allow"}, "Must be a match of regex"),
    Row("firewall-source", "firewall", {"sourceRanges": REMOVED}, "one of source_tags, source_ranges"),
    Row("firewall-ranges", "firewall", {"sourceRanges": ["10.0.0.1/8"]}, "Must be a valid CIDR range"),
    Row("firewall-network-exists", "firewall", {"network": "default"}, "global/networks/default' was not found"),
    Row("address-name", "address", {"name": "Nat"}, "Must be a match of regex"),
    Row("address-region", "address", {"region": "mars"}, "Unknown region"),
    Row("address-subnetwork-exists", "address", {"subnetwork": "other"}, "subnetworks/other' was not found"),
    Row("policy-name", "policy", {"name": "Compact"}, "Must be a match of regex"),
    Row("policy-region", "policy", {"region": "mars"}, "Unknown region"),
    Row("account-id", "account", {"accountId": "vllm"}, '"account_id" ("vllm") doesn\'t match regexp'),
    Row("account-id", "account", {"accountId": "v" * 31}, "doesn't match regexp"),
    Row("iam-role", "role", {"role": "logging.logWriter"}, "Role logging.logWriter is not supported"),
    Row("iam-member-prefix", "role", {"member": "h200@example.com"}, "is of an unknown type"),
    Row(
        "iam-member-exists",
        "role",
        {"member": f"serviceAccount:other@{PROJECT}.iam.gserviceaccount.com"},
        f"Service account other@{PROJECT}.iam.gserviceaccount.com does not exist",
    ),
    Row(
        "iam-identity-pool",
        "workload-role",
        {"member": "serviceAccount:other-project.svc.id.goog[vllm/vllm]"},
        "Identity Pool does not exist (other-project.svc.id.goog)",
    ),
    Row(
        "account-member-account",
        "workload-role",
        {"serviceAccountId": f"projects/{PROJECT}/serviceAccounts/other@{PROJECT}.iam.gserviceaccount.com"},
        "Unknown service account other@",
    ),
]

UPDATES = [
    Row(
        "cluster-multi-network-fixed",
        "cluster",
        {"enableMultiNetworking": False},
        "only be chosen when a cluster is created",
    ),
    Row("policy-rename", "policy", {"name": "renamed"}, "resourcePolicies/renamed' was not found"),
    Row("subnetwork-overlap", "roce-1", {"ipCidrRange": "192.168.128.0/18"}, "conflicts with existing subnetwork"),
    Row("subnetwork-range-in-use", "nodes", {"secondaryIpRanges": []}, "already being used by"),
]

DELETIONS = [
    Row("service-in-use", "api-compute", {"disableOnDestroy": True}, "compute.googleapis.com is depended on"),
    Row("network-in-use", "vpc", {}, "networks/h200-vpc' is already being used by"),
    Row(
        "subnetwork-in-use",
        "nodes",
        {},
        "already being used by 'projects/sandbox-project/locations/us-central1/clusters/",
    ),
    Row(
        "subnetwork-in-use",
        "roce-7",
        {},
        "already being used by 'projects/sandbox-project/locations/us-central1/clusters/",
    ),
    Row("address-in-use", "address", {}, "already being used by"),
    Row("channel-in-use", "channel", {}, "it is used by alerting policy projects/sandbox-project/alertPolicies/"),
    Row(
        "policy-in-use",
        "policy",
        {},
        "already being used by",
        {"h200": {"placementPolicy": {"policyName": "h200-compact"}}},
    ),
    Row(
        "cluster-deletion-protection",
        "cluster",
        {"deletionProtection": REMOVED},
        "Cannot destroy cluster because deletion_protection",
    ),
]


OTHERS = [
    (
        "router-roce",
        "gcp:compute/router:Router",
        {"name": "r", "network": "h200-roce", "region": REGION},
        "Not supported by",
    ),
    (
        "firewall-roce",
        "gcp:compute/firewall:Firewall",
        {"name": "f", "network": "h200-roce", "sourceRanges": ["10.0.0.0/8"], "allows": [{"protocol": "tcp"}]},
        "VPC firewall rules are not supported by the network profile us-central1-b-vpc-roce",
    ),
    (
        "nat-one-for-all-subnetworks",
        "gcp:compute/routerNat:RouterNat",
        {
            "name": "second",
            "router": "h200-router",
            "region": REGION,
            "natIpAllocateOption": "AUTO_ONLY",
            "sourceSubnetworkIpRangesToNat": "ALL_SUBNETWORKS_ALL_IP_RANGES",
        },
        "already served by NAT 'h200-nat'",
    ),
    (
        "pool-gvnic-networks",
        "gcp:container/nodePool:NodePool",
        {
            "name": "h100",
            "cluster": "h200-cluster",
            "location": REGION,
            "nodeLocations": ["us-central1-a"],
            "networkConfig": {
                "additionalNodeNetworkConfigs": [
                    {"network": "h200-gvnic", "subnetwork": f"h200-gvnic{suffix}"} for suffix in ("", "-1", "-2", "-3")
                ]
            },
            "nodeConfig": {"machineType": "a3-highgpu-8g"},
        },
        'Networks must be distinct for network interfaces of one node: "h200-gvnic"',
    ),
    (
        "pool-name-taken",
        "gcp:container/nodePool:NodePool",
        h200_platform()["system"].inputs,
        "already exists, alreadyExists",
    ),
]
