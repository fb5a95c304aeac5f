"""What Google's APIs know, by their own discovery documents, and where a property of Pulumi's stands in them."""

from collections.abc import Mapping
from typing import Any

from tests.discovery import document

MESSAGES = {
    "gcp:artifactregistry/repository:Repository": ("artifactregistry.v1", "Repository"),
    "gcp:artifactregistry/repositoryIamMember:RepositoryIamMember": ("artifactregistry.v1", "Binding"),
    "gcp:compute/address:Address": ("compute.beta", "Address"),
    "gcp:compute/firewall:Firewall": ("compute.beta", "Firewall"),
    "gcp:compute/network:Network": ("compute.beta", "Network"),
    "gcp:compute/resourcePolicy:ResourcePolicy": ("compute.beta", "ResourcePolicy"),
    "gcp:compute/router:Router": ("compute.beta", "Router"),
    "gcp:compute/routerNat:RouterNat": ("compute.beta", "RouterNat"),
    "gcp:compute/subnetwork:Subnetwork": ("compute.beta", "Subnetwork"),
    "gcp:container/cluster:Cluster": ("container.v1beta1", "Cluster"),
    "gcp:container/nodePool:NodePool": ("container.v1beta1", "NodePool"),
    "gcp:monitoring/alertPolicy:AlertPolicy": ("monitoring.v3", "AlertPolicy"),
    "gcp:monitoring/notificationChannel:NotificationChannel": ("monitoring.v3", "NotificationChannel"),
    "gcp:projects/iAMMember:IAMMember": ("cloudresourcemanager.v1", "Binding"),
    "gcp:projects/service:Service": ("serviceusage.v1", "GoogleApiServiceusageV1Service"),
    "gcp:secretmanager/secretIamMember:SecretIamMember": ("secretmanager.v1", "Binding"),
    "gcp:serviceaccount/account:Account": ("iam.v1", "ServiceAccount"),
    "gcp:serviceaccount/iAMMember:IAMMember": ("iam.v1", "Binding"),
    "gcp:storage/bucketIAMMember:BucketIAMMember": ("storage.v1", "Policy"),
    "gcp:storage/bucket:Bucket": ("storage.v1", "Bucket"),
    "gcp:storage/managedFolder:ManagedFolder": ("storage.v1", "ManagedFolder"),
}
"""The document and the message of each kind: those of the beta endpoints that the provider calls."""

_NODE = {
    "guestAccelerators": "accelerators",
    "guestAccelerators.type": "accelerators.acceleratorType",
    "guestAccelerators.count": "accelerators.acceleratorCount",
    "linuxNodeConfig.hugepagesConfig": "linuxNodeConfig.hugepages",
    "loggingVariant": "loggingConfig.variantConfig.variant",
}
_CLUSTER = {
    "datapathProvider": "networkConfig.datapathProvider",
    "enableMultiNetworking": "networkConfig.enableMultiNetworking",
    "enableShieldedNodes": "shieldedNodes.enabled",
    "gatewayApiConfig": "networkConfig.gatewayApiConfig",
    "loggingConfig.enableComponents": "loggingConfig.componentConfig.enableComponents",
    "monitoringConfig.enableComponents": "monitoringConfig.componentConfig.enableComponents",
    "monitoringConfig.managedPrometheus": "monitoringConfig.managedPrometheusConfig",
    "maintenancePolicy.dailyMaintenanceWindow": "maintenancePolicy.window.dailyMaintenanceWindow",
    "maintenancePolicy.recurringWindow": "maintenancePolicy.window.recurringWindow",
    "maintenancePolicy.recurringWindow.startTime": "maintenancePolicy.window.recurringWindow.window.startTime",
    "maintenancePolicy.recurringWindow.endTime": "maintenancePolicy.window.recurringWindow.window.endTime",
    "maintenancePolicy.maintenanceExclusions": "maintenancePolicy.window.maintenanceExclusions",
    "maintenancePolicy.maintenanceExclusions.exclusionOptions": (
        "maintenancePolicy.window.maintenanceExclusions.maintenanceExclusionOptions"
    ),
    "masterVersion": "currentMasterVersion",
    "minMasterVersion": "initialClusterVersion",
    "networkingMode": "ipAllocationPolicy.useIpAliases",
    "nodeLocations": "locations",
    "nodeVersion": "currentNodeVersion",
}
RENAMED: Mapping[str, Mapping[str, str]] = {
    "gcp:artifactregistry/repository:Repository": {"repositoryId": "name"},
    "gcp:artifactregistry/repositoryIamMember:RepositoryIamMember": {"member": "members"},
    "gcp:compute/firewall:Firewall": {
        "allows": "allowed",
        "allows.protocol": "allowed.IPProtocol",
        "denies": "denied",
        "denies.protocol": "denied.IPProtocol",
    },
    "gcp:compute/network:Network": {
        "routingMode": "routingConfig.routingMode",
        "networkId": "id",
        "numericId": "id",
        "gatewayIpv4": "gatewayIPv4",
    },
    "gcp:compute/address:Address": {"addressId": "id"},
    "gcp:compute/subnetwork:Subnetwork": {"subnetworkId": "id"},
    "gcp:compute/routerNat:RouterNat": {
        "subnetworks.sourceIpRangesToNats": "subnetworks.sourceIpRangesToNat",
        "initialNatIps": "natIps",
    },
    "gcp:container/cluster:Cluster": {
        **_CLUSTER,
        **{f"nodeConfig.{ours}": f"nodeConfig.{api}" for ours, api in _NODE.items()},
    },
    "gcp:container/nodePool:NodePool": {
        "nodeConfig": "config",
        **{f"nodeConfig.{ours}": f"config.{api}" for ours, api in _NODE.items()},
        "maintenancePolicies": "maintenancePolicy",
        "maintenancePolicies.exclusionUntilEndOfSupports": "maintenancePolicy.exclusionUntilEndOfSupport",
        "maxPodsPerNode": "maxPodsConstraint.maxPodsPerNode",
        "nodeCount": "initialNodeCount",
        "nodeLocations": "locations",
        "nodeDrainConfigs": "nodeDrainConfig",
    },
    "gcp:projects/iAMMember:IAMMember": {"member": "members"},
    "gcp:projects/service:Service": {"service": "name"},
    "gcp:secretmanager/secretIamMember:SecretIamMember": {"member": "members"},
    "gcp:serviceaccount/account:Account": {"accountId": "name"},
    "gcp:serviceaccount/iAMMember:IAMMember": {"member": "members"},
    "gcp:storage/bucket:Bucket": {
        "publicAccessPrevention": "iamConfiguration.publicAccessPrevention",
        "uniformBucketLevelAccess": "iamConfiguration.uniformBucketLevelAccess.enabled",
    },
    "gcp:storage/bucketIAMMember:BucketIAMMember": {
        "condition": "bindings.condition",
        "member": "bindings.members",
        "role": "bindings.role",
    },
}
"""Names that the provider gives to what an API calls otherwise; the longest beginning of a path counts."""

IN_THE_ADDRESS = "the address of the request says it"
OF_THE_PROVIDER = "the provider keeps it to itself"
ELSEWHERE: Mapping[str, Mapping[str, str]] = {
    "": {
        "project": IN_THE_ADDRESS,
        "deletionPolicy": OF_THE_PROVIDER,
        "effectiveLabels": OF_THE_PROVIDER,
        "pulumiLabels": OF_THE_PROVIDER,
    },
    "gcp:artifactregistry/repository:Repository": {"location": IN_THE_ADDRESS},
    "gcp:artifactregistry/repositoryIamMember:RepositoryIamMember": {
        "etag": "the whole policy has it, not the binding",
        "location": IN_THE_ADDRESS,
        "repository": IN_THE_ADDRESS,
    },
    "gcp:compute/routerNat:RouterNat": {"region": IN_THE_ADDRESS, "router": IN_THE_ADDRESS},
    "gcp:container/cluster:Cluster": {
        "deletionProtection": OF_THE_PROVIDER,
        "removeDefaultNodePool": OF_THE_PROVIDER,
        "maintenancePolicy.maintenanceExclusions.exclusionName": "the API has a map, of which it is the key",
    },
    "gcp:container/nodePool:NodePool": {
        "cluster": IN_THE_ADDRESS,
        "location": IN_THE_ADDRESS,
        "managedInstanceGroupUrls": OF_THE_PROVIDER,
        "nodeConfig.effectiveTaints": OF_THE_PROVIDER,
    },
    "gcp:monitoring/notificationChannel:NotificationChannel": {"forceDelete": IN_THE_ADDRESS},
    "gcp:projects/iAMMember:IAMMember": {"etag": "the whole policy has it, not the binding"},
    "gcp:projects/service:Service": {"disableOnDestroy": OF_THE_PROVIDER},
    "gcp:secretmanager/secretIamMember:SecretIamMember": {
        "etag": "the whole policy has it, not the binding",
        "secretId": IN_THE_ADDRESS,
    },
    "gcp:serviceaccount/account:Account": {"member": OF_THE_PROVIDER, "createIgnoreAlreadyExists": OF_THE_PROVIDER},
    "gcp:serviceaccount/iAMMember:IAMMember": {
        "etag": "the whole policy has it, not the binding",
        "serviceAccountId": IN_THE_ADDRESS,
    },
    "gcp:storage/bucket:Bucket": {"forceDestroy": OF_THE_PROVIDER, "url": OF_THE_PROVIDER},
    "gcp:storage/bucketIAMMember:BucketIAMMember": {"bucket": IN_THE_ADDRESS},
    "gcp:storage/managedFolder:ManagedFolder": {"forceDestroy": OF_THE_PROVIDER},
}
"""What no message of an API has, and why; "" is of every kind."""


def elsewhere(token: str, path: str) -> str | None:
    """Why no message has the property; None if one must."""
    reasons = {**ELSEWHERE[""], **ELSEWHERE.get(token, {})}
    return next((reason for start, reason in reasons.items() if path == start or path.startswith(f"{start}.")), None)


def api_path(token: str, path: str) -> str:
    """The API's path of a property, both without list positions."""
    renamed = RENAMED.get(token, {})
    start = path
    while start and start not in renamed:
        start = start.rpartition(".")[0]
    return renamed[start] + path[len(start) :] if start else path


def api_field(token: str, path: str) -> dict[str, Any] | None:
    """What the API says of a property; None if it has none of that name."""
    name, message = MESSAGES[token]
    found: dict[str, Any] = {"$ref": message}
    for part in api_path(token, path).split("."):
        found = _message(name, found)
        if "properties" in found and part in found["properties"]:
            found = found["properties"][part]
        elif "additionalProperties" in found:
            # A map: of messages the provider makes a list, and of texts their keys are part of the path.
            item = _message(name, found["additionalProperties"])
            if "properties" in item and part not in item["properties"]:
                return None
            found = item["properties"][part] if "properties" in item else item
        else:
            return None
    return found


def _message(name: str, found: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in found or found.get("type") == "array":
        found = document(name)["schemas"][found["$ref"]] if "$ref" in found else found["items"]
    return found


def enumeration(field: Mapping[str, Any]) -> set[str]:
    """The values that the API lists; empty where it lists none."""
    return set(field.get("enum") or field.get("items", {}).get("enum") or ())
