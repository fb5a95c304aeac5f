"""The graph: network → cluster → node pools → access → fabric objects → secret → LeaderWorkerSet → servers."""

from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp

from components.accelerator_node_pool import AcceleratorNodePool, AcceleratorNodePoolArgs
from components.cluster_network import ClusterNetwork, ClusterNetworkArgs
from components.fabric import Fabric, FabricArgs
from components.gke_cluster import GkeCluster, GkeClusterArgs
from components.hugging_face_token import HuggingFaceToken, HuggingFaceTokenArgs
from components.kubernetes_access import KubernetesAccess, KubernetesAccessArgs
from components.leader_worker_set import LeaderWorkerSet, LeaderWorkerSetArgs
from components.nccl_installer import NcclInstaller, NcclInstallerArgs
from components.pod_networks import PodNetworks, PodNetworksArgs
from components.project_services import ProjectServices, ProjectServicesArgs
from components.serving_namespace import ServingNamespace, ServingNamespaceArgs
from components.vllm_server import VllmServer, VllmServerArgs
from planning.plan import PlatformPlan


@dataclass(frozen=True, kw_only=True)
class Platform:
    """What the rest of the world needs to know of a stack."""

    plan: PlatformPlan
    cluster: GkeCluster

    def outputs(self) -> dict[str, pulumi.Input[str] | dict[str, dict[str, str]]]:
        """The stack's exports: names and commands, nothing secret."""
        cluster, location, project = self.cluster.cluster_name, self.cluster.location, self.cluster.project
        return {
            "clusterName": self.cluster.resource.name,
            "credentialsCommand": (
                f"gcloud container clusters get-credentials {cluster} --location {location} --project {project} "
                "--dns-endpoint"
            ),
            "models": {
                model.name: {
                    "portForward": (
                        f"kubectl port-forward --namespace {model.namespace} service/{model.name} "
                        f"{model.port}:{model.port}"
                    ),
                    "curl": (
                        f"curl http://localhost:{model.port}/v1/chat/completions "
                        "-H 'Content-Type: application/json' "
                        f'-d \'{{"model": "{model.model}", '
                        '"messages": [{"role": "user", "content": "What is Kubernetes?"}]}\''
                    ),
                }
                for model in self.plan.models
            },
        }


def build_platform(plan: PlatformPlan, *, project: str, token: pulumi.Output[str]) -> Platform:
    """Registers everything in `plan`. Two stacks with different prefixes share a project."""
    google = gcp.Provider("google", project=project, region=plan.region)
    in_google = pulumi.ResourceOptions(providers=[google])

    services = ProjectServices("services", ProjectServicesArgs(project=project, services=plan.services), opts=in_google)
    network = ClusterNetwork(
        "network", ClusterNetworkArgs(plan=plan.network, region=plan.region, services=services), opts=in_google
    )
    cluster = GkeCluster(
        "gke",
        GkeClusterArgs(plan=plan.cluster, project=project, network=network, services=services),
        opts=in_google,
    )
    fabric = (
        Fabric(
            "fabric",
            FabricArgs(plan=plan.fabric, project=project, region=plan.region, services=services),
            opts=in_google,
        )
        if plan.fabric
        else None
    )
    node_pools = {
        pool.name: AcceleratorNodePool(
            pool.name, AcceleratorNodePoolArgs(plan=pool, cluster=cluster, fabric=fabric), opts=in_google
        )
        for pool in plan.node_pools
    }
    _build_in_cluster(plan, cluster=cluster, fabric=fabric, node_pools=node_pools, token=token)
    return Platform(plan=plan, cluster=cluster)


def _build_in_cluster(
    plan: PlatformPlan,
    *,
    cluster: GkeCluster,
    fabric: Fabric | None,
    node_pools: dict[str, AcceleratorNodePool],
    token: pulumi.Output[str],
) -> None:
    access = KubernetesAccess("access", KubernetesAccessArgs(cluster=cluster))
    # What lives in the cluster goes with it: a destroy need not ask a dying API server for each object.
    in_cluster = pulumi.ResourceOptions(providers=[access.provider], deleted_with=cluster.resource)

    if fabric:
        PodNetworks("pod-networks", PodNetworksArgs(fabric=fabric), opts=in_cluster)
    for installer in plan.nccl_installers:
        NcclInstaller("nccl", NcclInstallerArgs(plan=installer, node_pools=list(node_pools.values())), opts=in_cluster)
    namespace = ServingNamespace("serving", ServingNamespaceArgs(namespace=plan.serving_namespace), opts=in_cluster)
    hugging_face = HuggingFaceToken(
        "hugging-face",
        HuggingFaceTokenArgs(secret_name=plan.token_secret, namespace=namespace, token=token),
        opts=in_cluster,
    )
    LeaderWorkerSet(
        "leader-worker-set",
        LeaderWorkerSetArgs(plan=plan.leader_worker_set, system_pool=plan.cluster.system_pool.name),
        opts=in_cluster,
    )
    for model in plan.models:
        VllmServer(
            model.name,
            VllmServerArgs(plan=model, node_pool=node_pools[model.node_pool], token=hugging_face),
            opts=in_cluster,
        )
