"""The graph: network → cluster → node pools → access → fabric objects → secret → LeaderWorkerSet → servers."""

from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp

from components.accelerator_node_pool import AcceleratorNodePool, AcceleratorNodePoolArgs
from components.alerts import Alerts, AlertsArgs
from components.cluster_network import ClusterNetwork, ClusterNetworkArgs
from components.fabric import Fabric, FabricArgs
from components.given_cluster import AnyCluster, GivenCluster, GivenClusterArgs
from components.given_network import AnyNetwork, GivenNetwork, GivenNetworkArgs
from components.given_node_pool import AnyFabric, AnyNodePool, GivenFabric, GivenNodePool, GivenNodePoolArgs
from components.gke_cluster import GkeCluster, GkeClusterArgs
from components.kubernetes_access import KubernetesAccess, KubernetesAccessArgs
from components.labelling import labelling
from components.nccl_installer import NcclInstaller, NcclInstallerArgs
from components.node_daemon import NodeDaemon, NodeDaemonArgs
from components.pod_networks import PodNetworks, PodNetworksArgs
from components.project_services import ProjectServices, ProjectServicesArgs
from planning.plan import GivenClusterPlan, GivenNetworkPlan, PlatformPlan
from stacks.serving import ServingArgs, build_serving


@dataclass(frozen=True, kw_only=True)
class Platform:
    """What the rest of the world needs to know of a stack."""

    plan: PlatformPlan
    cluster: AnyCluster

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


def build_platform(plan: PlatformPlan, *, project: str, token: pulumi.Output[str] | None) -> Platform:
    """Registers everything in `plan`. Two stacks with different prefixes share a project."""
    google = gcp.Provider("google", project=project, region=plan.region)
    in_google = pulumi.ResourceOptions(providers=[google])

    services = ProjectServices("services", ProjectServicesArgs(project=project, services=plan.services), opts=in_google)
    cluster = _cluster(plan, project, services, in_google)
    fabric, node_pools = _node_pools(plan, project, services, cluster, in_google)
    if plan.alerts:
        Alerts(
            "alerts",
            AlertsArgs(plan=plan.alerts, project=cluster.project, services=services, labels=plan.labels),
            opts=in_google,
        )
    _build_in_cluster(
        plan,
        cluster=cluster,
        fabric=fabric,
        node_pools=node_pools,
        token=token,
        project=project,
        services=services,
        in_google=in_google,
    )
    return Platform(plan=plan, cluster=cluster)


def _cluster(
    plan: PlatformPlan, project: str, services: ProjectServices, in_google: pulumi.ResourceOptions
) -> AnyCluster:
    if isinstance(plan.cluster, GivenClusterPlan):
        return GivenCluster(
            "gke", GivenClusterArgs(plan=plan.cluster, project=project, services=services), opts=in_google
        )
    return GkeCluster(
        "gke",
        GkeClusterArgs(
            plan=plan.cluster,
            project=project,
            network=_network(plan, project, services, in_google),
            services=services,
            labels=plan.labels,
            protect=plan.protection.covers_cluster,
        ),
        opts=in_google,
    )


def _network(
    plan: PlatformPlan, project: str, services: ProjectServices, in_google: pulumi.ResourceOptions
) -> AnyNetwork:
    if isinstance(plan.network, GivenNetworkPlan):
        return GivenNetwork(
            "network",
            GivenNetworkArgs(plan=plan.network, project=project, region=plan.region),
            opts=in_google,
        )
    if plan.network is None:
        raise ValueError("a cluster of the stack's own has no network in the plan")
    return ClusterNetwork(
        "network",
        ClusterNetworkArgs(
            plan=plan.network, region=plan.region, services=services, protect=plan.protection.covers_cluster
        ),
        opts=in_google,
    )


def _node_pools(
    plan: PlatformPlan,
    project: str,
    services: ProjectServices,
    cluster: AnyCluster,
    in_google: pulumi.ResourceOptions,
) -> tuple[AnyFabric | None, dict[str, AnyNodePool]]:
    """The accelerators' pools by name, and the networks between their nodes."""
    if isinstance(plan.cluster, GivenClusterPlan) and plan.cluster.provides_node_pools:
        return _given_node_pools(plan, cluster, in_google)
    fabric = (
        Fabric(
            "fabric",
            FabricArgs(
                plan=plan.fabric,
                project=project,
                region=plan.region,
                services=services,
                protect=plan.protection.covers_cluster,
            ),
            opts=in_google,
        )
        if plan.fabric and plan.fabric.vpcs
        else None
    )
    pools: dict[str, AnyNodePool] = {
        pool.name: AcceleratorNodePool(
            pool.name,
            AcceleratorNodePoolArgs(
                plan=pool,
                cluster=cluster,
                fabric=fabric,
                region=plan.region,
                services=services,
                labels=plan.labels,
                keep_version=plan.gpu_nodes_keep_version,
                protect=plan.protection.covers(pool.name),
            ),
            opts=in_google,
        )
        for pool in plan.node_pools
    }
    return fabric, pools


def _given_node_pools(
    plan: PlatformPlan, cluster: AnyCluster, in_google: pulumi.ResourceOptions
) -> tuple[AnyFabric | None, dict[str, AnyNodePool]]:
    given = {
        pool.name: GivenNodePool(pool.name, GivenNodePoolArgs(plan=pool, cluster=cluster), opts=in_google)
        for pool in plan.node_pools
    }
    on_fabric = next((given[pool.name] for pool in plan.node_pools if pool.uses_fabric), None)
    pools: dict[str, AnyNodePool] = dict(given)
    if plan.fabric is None or not plan.fabric.vpcs or on_fabric is None:
        return None, pools
    return GivenFabric.of(on_fabric, plan.fabric.pod_networks), pools


def _build_in_cluster(
    plan: PlatformPlan,
    *,
    cluster: AnyCluster,
    fabric: AnyFabric | None,
    node_pools: dict[str, AnyNodePool],
    token: pulumi.Output[str] | None,
    project: str,
    services: ProjectServices,
    in_google: pulumi.ResourceOptions,
) -> None:
    access = KubernetesAccess("access", KubernetesAccessArgs(cluster=cluster))
    # What lives in the cluster goes with it: a destroy need not ask a dying API server for each object.
    in_cluster = pulumi.ResourceOptions.merge(
        pulumi.ResourceOptions(providers=[access.provider], deleted_with=cluster.gone_with), labelling(plan.labels)
    )

    pools = list(node_pools.values())
    needs: list[pulumi.Resource] = []
    given = isinstance(plan.cluster, GivenClusterPlan) and plan.cluster.provides_pod_networks
    if fabric and plan.fabric and plan.fabric.interfaces and not given:
        needs.append(PodNetworks("pod-networks", PodNetworksArgs(fabric=fabric), opts=in_cluster))
    for installer in plan.nccl_installers:
        needs.append(NcclInstaller("nccl", NcclInstallerArgs(plan=installer, node_pools=pools), opts=in_cluster))
    for daemon in plan.node_daemons:
        needs.append(NodeDaemon(daemon.name, NodeDaemonArgs(plan=daemon, node_pools=pools), opts=in_cluster))
    build_serving(
        ServingArgs(
            plan=plan,
            node_pools=node_pools,
            fabric_needs=needs,
            token=token,
            project=project,
            cluster=cluster,
            services=services,
        ),
        in_google,
        in_cluster,
    )
