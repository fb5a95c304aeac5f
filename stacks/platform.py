"""The graph: network → cluster → node pools → access → fabric objects → secret → LeaderWorkerSet → servers."""

from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp

from components.alerts import Alerts, AlertsArgs
from components.faces import AnyCluster, StackContext
from components.own_or_existing import cluster_of, image_sources_of, node_pools_of
from components.project_services import ProjectServices, ProjectServicesArgs
from planning.plan import PlatformPlan
from stacks.in_cluster import build_in_cluster


@dataclass(frozen=True, kw_only=True)
class Platform:
    """The parts of a stack that its outputs tell about."""

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


def build_platform(plan: PlatformPlan, *, project: str) -> Platform:
    """Registers everything in `plan`. Two stacks with different prefixes share a project."""
    google = gcp.Provider("google", project=project, region=plan.region)
    in_google = pulumi.ResourceOptions(providers=[google])

    services = ProjectServices("services", ProjectServicesArgs(project=project, services=plan.services), opts=in_google)
    stack = StackContext(
        project=project, region=plan.region, labels=plan.labels, services=services, in_google=in_google
    )
    cluster = cluster_of(plan, stack)
    fabric, node_pools = node_pools_of(plan, stack, cluster)
    if plan.alerts:
        Alerts("alerts", AlertsArgs(plan=plan.alerts, stack=stack, project=cluster.project), opts=in_google)
    images = image_sources_of(plan, stack)
    build_in_cluster(plan, stack, cluster, fabric, node_pools, images)
    return Platform(plan=plan, cluster=cluster)
