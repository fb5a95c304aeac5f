"""The part of the graph that serves: namespaces → token → LeaderWorkerSet → test of the fabric → servers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi

from components.compute_domain import ComputeDomain, ComputeDomainArgs
from components.device_claims import DeviceClaims, DeviceClaimsArgs
from components.dra_driver import DraDriver, DraDriverArgs
from components.given_cluster import AnyCluster
from components.given_node_pool import AnyNodePool
from components.hugging_face_token import HuggingFaceToken, HuggingFaceTokenArgs
from components.leader_worker_set import LeaderWorkerSet, LeaderWorkerSetArgs
from components.metrics_collection import MetricsCollection, MetricsCollectionArgs
from components.nccl_preflight import NcclPreflight, NcclPreflightArgs
from components.project_services import ProjectServices
from components.secret_manager_token import AnyToken, SecretManagerToken, SecretManagerTokenArgs
from components.serving_identity import ServingIdentity, ServingIdentityArgs
from components.serving_namespace import ServingNamespace, ServingNamespaceArgs
from components.serving_priority import ServingPriority, ServingPriorityArgs
from components.vllm_server import VllmServer, VllmServerArgs
from planning.plan import DeviceClaimTemplate, PlatformPlan


@dataclass(frozen=True, kw_only=True)
class ServingArgs:
    plan: PlatformPlan
    node_pools: Mapping[str, AnyNodePool]
    fabric_needs: Sequence[pulumi.Resource]
    """What pods that use the fabric find on their node, and the networks they name."""
    token: pulumi.Output[str] | None
    """None: the plan says where it is."""
    project: str
    cluster: AnyCluster
    services: ProjectServices


def build_serving(args: ServingArgs, in_google: pulumi.ResourceOptions, in_cluster: pulumi.ResourceOptions) -> None:
    plan = args.plan
    namespaces = {
        each.name: ServingNamespace(each.name, ServingNamespaceArgs(plan=each), opts=in_cluster)
        for each in plan.namespaces
    }
    if plan.alerts:
        for name, namespace in namespaces.items():
            MetricsCollection(f"metrics-{name}", MetricsCollectionArgs(namespace=namespace), opts=in_cluster)
    tokens = _tokens(args, namespaces, in_google, in_cluster)
    leader_worker_set = LeaderWorkerSet(
        "leader-worker-set",
        LeaderWorkerSetArgs(
            plan=plan.leader_worker_set,
            system_pool=plan.cluster.system_pool.name,
            keeps_kinds=args.cluster.gone_with is not None,
        ),
        opts=in_cluster,
    )
    priority = ServingPriority("priority", ServingPriorityArgs(plan=plan.priority_class), opts=in_cluster)
    testing = _preflight_namespace(plan, in_cluster)
    domains = _compute_domains(args, {**namespaces, **testing}, in_cluster)
    preflights = _preflights(args, testing, domains, in_cluster)
    claims = {
        name: _claims(plan, name, namespaces[name], in_cluster)
        for name in dict.fromkeys(model.namespace for model in plan.models if model.transport)
    }
    for model in plan.models:
        needs: list[pulumi.Resource] = []
        if model.node_pool in preflights:
            # It needs two free nodes, so it is first.
            needs.append(preflights[model.node_pool])
        if model.transport:
            needs += [*args.fabric_needs, *claims[model.namespace], *domains.get((model.namespace, model.name), [])]
        VllmServer(
            model.name,
            VllmServerArgs(
                plan=model,
                access=plan.access,
                node_pool=args.node_pools[model.node_pool],
                token=tokens[model.namespace],
                priority=priority,
                leader_worker_set=leader_worker_set,
                needs=needs,
            ),
            opts=in_cluster,
        )


def _tokens(
    args: ServingArgs,
    namespaces: Mapping[str, ServingNamespace],
    in_google: pulumi.ResourceOptions,
    in_cluster: pulumi.ResourceOptions,
) -> dict[str, AnyToken]:
    """By the name of the namespace that each is in."""
    token, secret = args.plan.token, args.plan.token.secret
    if secret is None:
        if args.token is None:
            raise ValueError("the plan says that the token is the stack's own secret, and there is none")
        return {
            name: HuggingFaceToken(
                f"hugging-face-{name}",
                HuggingFaceTokenArgs(label=token.name, namespace=namespace, token=args.token),
                opts=in_cluster,
            )
            for name, namespace in namespaces.items()
        }
    identity = ServingIdentity(
        "serving-identity",
        ServingIdentityArgs(
            secret=secret,
            project=args.project,
            cluster=args.cluster,
            services=args.services,
            namespaces=list(namespaces),
        ),
        opts=in_google,
    )
    return {
        name: SecretManagerToken(
            f"hugging-face-{name}",
            SecretManagerTokenArgs(
                name=token.name, secret=secret, project=args.project, namespace=namespace, identity=identity
            ),
            opts=in_cluster,
        )
        for name, namespace in namespaces.items()
    }


def _preflight_namespace(plan: PlatformPlan, in_cluster: pulumi.ResourceOptions) -> dict[str, ServingNamespace]:
    """By its name; none, where there is no test."""
    home = plan.preflight_namespace
    if home is None:
        return {}
    return {home.name: ServingNamespace(home.name, ServingNamespaceArgs(plan=home), opts=in_cluster)}


def _preflights(
    args: ServingArgs,
    namespaces: Mapping[str, ServingNamespace],
    domains: Mapping[tuple[str, str], list[pulumi.Resource]],
    in_cluster: pulumi.ResourceOptions,
) -> dict[str, pulumi.Resource]:
    """By the name of the pool that each has tested."""
    claims = [
        claim for name, namespace in namespaces.items() for claim in _claims(args.plan, name, namespace, in_cluster)
    ]
    return {
        preflight.node_pool: NcclPreflight(
            preflight.name,
            NcclPreflightArgs(
                plan=preflight,
                access=args.plan.access,
                node_pool=args.node_pools[preflight.node_pool],
                namespace=namespaces[preflight.namespace],
                needs=[*args.fabric_needs, *claims, *domains.get((preflight.namespace, preflight.name), [])],
            ),
            opts=in_cluster,
        )
        for preflight in args.plan.preflights
    }


def _claims(
    plan: PlatformPlan, name: str, namespace: ServingNamespace, in_cluster: pulumi.ResourceOptions
) -> list[pulumi.Resource]:
    templates: tuple[DeviceClaimTemplate, ...] = plan.fabric.claim_templates if plan.fabric else ()
    if not templates:
        return []
    return [DeviceClaims(f"claims-{name}", DeviceClaimsArgs(templates=templates, namespace=namespace), opts=in_cluster)]


def _compute_domains(
    args: ServingArgs, namespaces: Mapping[str, ServingNamespace], in_cluster: pulumi.ResourceOptions
) -> dict[tuple[str, str], list[pulumi.Resource]]:
    """By the namespace and name of the server or test that each is for."""
    plan = args.plan
    if plan.dra_driver is None:
        return {}
    driver = DraDriver(
        "dra-driver",
        DraDriverArgs(
            plan=plan.dra_driver,
            system_pool=plan.cluster.system_pool.name,
            node_pools=list(args.node_pools.values()),
        ),
        opts=in_cluster,
    )
    return {
        (domain.namespace, domain.name): [
            ComputeDomain(
                f"{domain.namespace}-{domain.name}",
                ComputeDomainArgs(plan=domain, namespace=namespaces[domain.namespace], driver=driver),
                opts=in_cluster,
            )
        ]
        for domain in plan.compute_domains
    }
