"""Talks to the cloud as the Pulumi engine does, and builds a whole valid platform in it."""

import copy
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import grpc
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from sandbox.cloud.resources.common import number_of
from sandbox.cloud.values import decode, encode

PROJECT = "sandbox-project"
REGION = "us-central1"
ZONE = "us-central1-b"

Inputs = dict[str, Any]


class Refusal(Exception):
    """The cloud said no, in a check or in the deed."""


@dataclass
class Resource:
    token: str
    inputs: Inputs


@dataclass
class Built:
    """A resource as the Pulumi engine remembers it."""

    id: str
    inputs: Inputs
    outputs: Inputs


@dataclass
class Client:
    """One provider instance of a Pulumi engine's."""

    port: int
    configuration: Mapping[str, str] = field(default_factory=lambda: {"project": PROJECT, "region": REGION})

    def __enter__(self) -> "Client":
        # A connection of its own, as each provider instance of a Pulumi engine has.
        options = [("grpc.use_local_subchannel_pool", 1)]
        self.channel = grpc.insecure_channel(f"127.0.0.1:{self.port}", options)
        self.stub = provider_pb2_grpc.ResourceProviderStub(self.channel)
        self.stub.Configure(provider_pb2.ConfigureRequest(args=encode(self.configuration)))
        return self

    def __exit__(self, *exception: object) -> None:
        self.channel.close()

    def check(self, token: str, name: str, inputs: Inputs, old: Inputs | None = None) -> Inputs:
        answer = self.stub.Check(
            provider_pb2.CheckRequest(
                urn=_urn(token, name), news=encode(inputs), olds=encode(old or {}), randomSeed=b"0123456789abcdef"
            )
        )
        if answer.failures:
            raise Refusal("\n".join(failure.reason for failure in answer.failures))
        return dict(decode(answer.inputs))

    def create(self, token: str, name: str, inputs: Inputs, preview: bool = False) -> Built:
        checked = self.check(token, name, inputs)
        request = provider_pb2.CreateRequest(urn=_urn(token, name), properties=encode(checked), preview=preview)
        answer = _asked(self.stub.Create, request)
        return Built(answer.id, checked, dict(decode(answer.properties)))

    def update(self, token: str, name: str, old: Built, inputs: Inputs) -> Built:
        checked = self.check(token, name, inputs, old.inputs)
        request = provider_pb2.UpdateRequest(
            id=old.id,
            urn=_urn(token, name),
            olds=encode(old.outputs),
            news=encode(checked),
            old_inputs=encode(old.inputs),
        )
        return Built(old.id, checked, dict(decode(_asked(self.stub.Update, request).properties)))

    def diff(self, token: str, name: str, old: Built, inputs: Inputs) -> provider_pb2.DiffResponse:
        checked = self.check(token, name, inputs, old.inputs)
        return self.stub.Diff(
            provider_pb2.DiffRequest(
                id=old.id,
                urn=_urn(token, name),
                olds=encode(old.outputs),
                news=encode(checked),
                old_inputs=encode(old.inputs),
            )
        )

    def delete(self, token: str, name: str, old: Built) -> None:
        request = provider_pb2.DeleteRequest(
            id=old.id, urn=_urn(token, name), properties=encode(old.outputs), old_inputs=encode(old.inputs)
        )
        _asked(self.stub.Delete, request)

    def read(self, token: str, name: str, id_: str) -> provider_pb2.ReadResponse:
        return _asked(self.stub.Read, provider_pb2.ReadRequest(id=id_, urn=_urn(token, name)))


def _asked(method: Any, request: Any) -> Any:
    try:
        return method(request)
    except grpc.RpcError as error:
        raise Refusal(error.details()) from error  # pyright: ignore[reportAttributeAccessIssue]


def _urn(token: str, name: str) -> str:
    return f"urn:pulumi:h200::inference-platform::inference-platform:components:Thing${token}::{name}"


REMOVED = object()


def changed(inputs: Inputs, changes: Mapping[str, Any]) -> Inputs:
    """The inputs with the values at some paths replaced, or removed."""
    result = copy.deepcopy(inputs)
    for path, value in changes.items():
        steps: list[str] = re.findall(r"[^.\[\]]+", path)
        holder: Any = result
        for step in steps[:-1]:
            holder = holder[int(step)] if isinstance(holder, list) else holder.setdefault(step, {})
        last: Any = int(steps[-1]) if isinstance(holder, list) else steps[-1]
        if value is REMOVED:
            del holder[last]
        else:
            holder[last] = value
    return result


def build(client: Client, platform: Mapping[str, Resource]) -> dict[str, Built]:
    return {name: client.create(each.token, name, each.inputs) for name, each in platform.items()}


def tear_down(client: Client, platform: Mapping[str, Resource], built: Mapping[str, Built]) -> None:
    for name in reversed(platform):
        client.delete(platform[name].token, name, built[name])


def h200_platform() -> dict[str, Resource]:
    """Two H200 nodes with their fabric, and all that they stand on, in the order of creation."""
    compute = "gcp:compute/"
    account = f"h200-nodes@{PROJECT}.iam.gserviceaccount.com"
    services = ("compute", "container", "iam", "cloudresourcemanager", "monitoring", "artifactregistry")
    platform = {
        f"api-{name}": Resource("gcp:projects/service:Service", {"service": f"{name}.googleapis.com"})
        for name in services
    }
    platform |= {
        "vpc": Resource(f"{compute}network:Network", _vpc("h200-vpc")),
        "nodes": Resource(
            f"{compute}subnetwork:Subnetwork",
            {
                "name": "h200-nodes",
                "network": f"projects/{PROJECT}/global/networks/h200-vpc",
                "region": REGION,
                "ipCidrRange": "10.0.0.0/20",
                "secondaryIpRanges": [
                    {"rangeName": "pods", "ipCidrRange": "10.4.0.0/14"},
                    {"rangeName": "services", "ipCidrRange": "10.0.32.0/20"},
                ],
            },
        ),
        "address": Resource(f"{compute}address:Address", {"name": "h200-nat", "region": REGION}),
        "router": Resource(f"{compute}router:Router", {"name": "h200-router", "network": "h200-vpc", "region": REGION}),
        "nat": Resource(
            f"{compute}routerNat:RouterNat",
            {
                "name": "h200-nat",
                "router": "h200-router",
                "region": REGION,
                "natIpAllocateOption": "MANUAL_ONLY",
                "natIps": [f"projects/{PROJECT}/regions/{REGION}/addresses/h200-nat"],
                "sourceSubnetworkIpRangesToNat": "ALL_SUBNETWORKS_ALL_IP_RANGES",
            },
        ),
        "firewall": Resource(
            f"{compute}firewall:Firewall",
            {
                "name": "h200-internal",
                "network": "h200-vpc",
                "sourceRanges": ["10.0.0.0/8"],
                "allows": [{"protocol": "tcp", "ports": ["0-65535"]}],
            },
        ),
        "policy": Resource(
            f"{compute}resourcePolicy:ResourcePolicy",
            {"name": "h200-compact", "region": REGION, "groupPlacementPolicy": {"collocation": "COLLOCATED"}},
        ),
        "gvnic-vpc": Resource(f"{compute}network:Network", {**_vpc("h200-gvnic"), "mtu": 8896}),
        "gvnic-subnet": Resource(f"{compute}subnetwork:Subnetwork", _subnet("h200-gvnic", "192.168.64.0/18")),
        "roce-vpc": Resource(
            f"{compute}network:Network",
            {
                **_vpc("h200-roce"),
                "networkProfile": f"projects/{PROJECT}/global/networkProfiles/{ZONE}-vpc-roce",
            },
        ),
    }
    for rail in range(8):
        inputs = {**_subnet("h200-roce", f"192.168.{128 + 8 * rail}.0/21"), "name": f"h200-roce-{rail}"}
        platform[f"roce-{rail}"] = Resource(f"{compute}subnetwork:Subnetwork", inputs)
    platform |= {
        "account": Resource("gcp:serviceaccount/account:Account", {"accountId": "h200-nodes"}),
        "role": Resource(
            "gcp:projects/iAMMember:IAMMember",
            {"project": PROJECT, "role": "roles/logging.logWriter", "member": f"serviceAccount:{account}"},
        ),
        "cluster": Resource("gcp:container/cluster:Cluster", _cluster(account)),
        "workload-role": Resource(
            "gcp:serviceaccount/iAMMember:IAMMember",
            {
                "serviceAccountId": f"projects/{PROJECT}/serviceAccounts/{account}",
                "role": "roles/iam.workloadIdentityUser",
                "member": f"serviceAccount:{PROJECT}.svc.id.goog[vllm/vllm]",
            },
        ),
        "system": Resource("gcp:container/nodePool:NodePool", _system_pool(account)),
        "h200": Resource("gcp:container/nodePool:NodePool", _h200_pool(account)),
        "channel": Resource(
            "gcp:monitoring/notificationChannel:NotificationChannel",
            {"displayName": "oncall", "type": "email", "labels": {"email_address": "oncall@example.com"}},
        ),
        "alert": Resource("gcp:monitoring/alertPolicy:AlertPolicy", _alert()),
        **_storage(account),
    }
    return platform


def _storage(account: str) -> dict[str, Resource]:
    member, bucket = f"serviceAccount:{account}", "h200-weights"
    return {
        "bucket": Resource(
            "gcp:storage/bucket:Bucket",
            {
                "name": bucket,
                "location": REGION,
                "uniformBucketLevelAccess": True,
                "hierarchicalNamespace": {"enabled": True},
                "softDeletePolicy": {"retentionDurationSeconds": 604800},
                "publicAccessPrevention": "enforced",
            },
        ),
        "bucket-member": Resource(
            "gcp:storage/bucketIAMMember:BucketIAMMember",
            {"bucket": bucket, "role": "roles/storage.objectViewer", "member": member},
        ),
        "folder": Resource("gcp:storage/managedFolder:ManagedFolder", {"bucket": bucket, "name": "models/"}),
        "repository": Resource(
            "gcp:artifactregistry/repository:Repository",
            {
                "repositoryId": "h200-images",
                "location": REGION,
                "format": "DOCKER",
                "mode": "REMOTE_REPOSITORY",
                "remoteRepositoryConfig": {"dockerRepository": {"publicRepository": "DOCKER_HUB"}},
            },
        ),
        "repository-member": Resource(
            "gcp:artifactregistry/repositoryIamMember:RepositoryIamMember",
            {
                "repository": "h200-images",
                "location": REGION,
                "role": "roles/artifactregistry.reader",
                "member": member,
            },
        ),
    }


def _vpc(name: str) -> Inputs:
    return {"name": name, "autoCreateSubnetworks": False}


def _subnet(network: str, ip_range: str) -> Inputs:
    return {"name": network, "network": network, "region": REGION, "ipCidrRange": ip_range}


def _cluster(account: str) -> Inputs:
    return {
        "name": "h200-cluster",
        "location": REGION,
        "network": f"projects/{PROJECT}/global/networks/h200-vpc",
        "subnetwork": f"projects/{PROJECT}/regions/{REGION}/subnetworks/h200-nodes",
        "networkingMode": "VPC_NATIVE",
        "ipAllocationPolicy": {"clusterSecondaryRangeName": "pods", "servicesSecondaryRangeName": "services"},
        "datapathProvider": "ADVANCED_DATAPATH",
        "enableMultiNetworking": True,
        "privateClusterConfig": {"enablePrivateNodes": True, "masterIpv4CidrBlock": "172.16.0.32/28"},
        "controlPlaneEndpointsConfig": {"dnsEndpointConfig": {"allowExternalTraffic": True}},
        "workloadIdentityConfig": {"workloadPool": f"{PROJECT}.svc.id.goog"},
        "releaseChannel": {"channel": "REGULAR"},
        "gatewayApiConfig": {"channel": "CHANNEL_STANDARD"},
        "removeDefaultNodePool": True,
        "initialNodeCount": 1,
        "nodeConfig": {"serviceAccount": account},
        "deletionProtection": False,
    }


def _alert() -> Inputs:
    query = 'kube_deployment_status_replicas_available{cluster="h200-cluster"} == 0'
    condition = {"query": query, "duration": "600s", "evaluationInterval": "60s", "disableMetricValidation": True}
    return {
        "displayName": "no replica",
        "combiner": "OR",
        "conditions": [{"displayName": "no replica", "conditionPrometheusQueryLanguage": condition}],
        "notificationChannels": [f"projects/{PROJECT}/notificationChannels/{number_of('oncall 0')}"],
    }


def _system_pool(account: str) -> Inputs:
    return {
        "name": "system",
        "cluster": "h200-cluster",
        "location": REGION,
        "nodeCount": 1,
        "nodeLocations": [ZONE],
        "nodeConfig": {"machineType": "e2-standard-8", "serviceAccount": account},
    }


def _h200_pool(account: str) -> Inputs:
    roce = [{"network": "h200-roce", "subnetwork": f"h200-roce-{rail}"} for rail in range(8)]
    return {
        "name": "h200",
        "cluster": f"projects/{PROJECT}/locations/{REGION}/clusters/h200-cluster",
        "nodeCount": 2,
        "nodeLocations": [ZONE],
        "networkConfig": {
            "additionalNodeNetworkConfigs": [{"network": "h200-gvnic", "subnetwork": "h200-gvnic"}, *roce]
        },
        "upgradeSettings": {"maxSurge": 0, "maxUnavailable": 1},
        "nodeConfig": {
            "machineType": "a3-ultragpu-8g",
            "spot": True,
            "imageType": "COS_CONTAINERD",
            "diskType": "hyperdisk-balanced",
            "diskSizeGb": 200,
            "gvnic": {"enabled": True},
            "serviceAccount": account,
            "labels": {"inference-platform/pool": "h200"},
            "guestAccelerators": [
                {
                    "type": "nvidia-h200-141gb",
                    "count": 8,
                    "gpuDriverInstallationConfig": {"gpuDriverVersion": "LATEST"},
                }
            ],
            "workloadMetadataConfig": {"mode": "GKE_METADATA"},
        },
    }
