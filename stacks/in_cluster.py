"""The part of the graph in the cluster: pod networks and node software → namespaces → token → controllers → servers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi

from components.bucket_fills import BucketFills, BucketFillsArgs
from components.device_claims import DeviceClaims, DeviceClaimsArgs
from components.dra_driver import DraDriver, DraDriverArgs
from components.faces import AnyCluster, AnyFabric, AnyNodePool, AnyToken, StackContext
from components.kubernetes_access import kubernetes_provider
from components.kubernetes_object import KubernetesObject
from components.labelling import chart_labelling, labelling
from components.leader_worker_set import LeaderWorkerSet, LeaderWorkerSetArgs
from components.manifests.common import priority_class
from components.manifests.pre_pull import pre_pull
from components.nccl_preflight import NcclPreflight, NcclPreflightArgs
from components.node_cache import NodeCache, NodeCacheArgs
from components.node_software import NodeSoftware, NodeSoftwareArgs
from components.own_or_existing import Identities, accounts_of, identities_of, tokens_of
from components.pod_networks import PodNetworks, PodNetworksArgs
from components.serving_namespace import ServingNamespace, ServingNamespaceArgs
from components.vllm_server import VllmServer, VllmServerArgs
from planning.plan import PlatformPlan


@dataclass(frozen=True, kw_only=True)
class _InCluster:
    """The arguments that the functions below share."""

    plan: PlatformPlan
    node_pools: Mapping[str, AnyNodePool]
    fabric_needs: Sequence[pulumi.Resource]
    """The resources that must exist before pods can use the fabric: software on their nodes, and Network objects."""
    opts: pulumi.ResourceOptions
    chart_opts: pulumi.ResourceOptions
    """The same for a component that installs a chart."""


def build_in_cluster(
    plan: PlatformPlan,
    stack: StackContext,
    cluster: AnyCluster,
    fabric: AnyFabric | None,
    node_pools: Mapping[str, AnyNodePool],
    images: Sequence[pulumi.Resource],
) -> None:
    """`images`: what must be there before a pod pulls one."""
    # The cluster's objects are deleted with it, so a destroy need not ask the API server for each of them.
    own = pulumi.ResourceOptions(provider=kubernetes_provider("access", cluster), deleted_with=cluster.gone_with)
    opts = pulumi.ResourceOptions.merge(own, labelling(plan.labels))
    chart_opts = pulumi.ResourceOptions.merge(opts, chart_labelling(plan.labels))
    needs: list[pulumi.Resource] = []
    if fabric and plan.fabric and plan.fabric.makes_pod_networks:
        needs.append(PodNetworks("pod-networks", PodNetworksArgs(fabric=fabric), opts=opts))
    if plan.nccl_installers or plan.node_daemons:
        software = NodeSoftwareArgs(
            installers=plan.nccl_installers,
            daemons=plan.node_daemons,
            node_pools=list(node_pools.values()),
            images=images,
        )
        needs.append(NodeSoftware("node-software", software, opts=opts))
    shared = _InCluster(plan=plan, node_pools=node_pools, fabric_needs=needs, opts=opts, chart_opts=chart_opts)

    caches, pulls = _node_caches(shared, images), _pre_pulls(shared, images)
    namespaces = {
        each.name: ServingNamespace(each.name, ServingNamespaceArgs(plan=each, access=plan.access), opts=opts)
        for each in plan.namespaces
    }
    identities = identities_of(plan, stack, cluster, list(namespaces))
    tokens = tokens_of(plan.token, stack, identities, namespaces, opts)
    accounts = accounts_of(plan, identities, namespaces, opts)
    fills = _fills(shared, identities, namespaces, tokens, images)
    leader_worker_set = LeaderWorkerSet(
        "leader-worker-set",
        LeaderWorkerSetArgs(
            plan=plan.leader_worker_set,
            system_pool=plan.cluster.system_pool.name,
            keeps_kinds=cluster.gone_with is not None,
        ),
        opts=chart_opts,
    )
    priority = KubernetesObject("priority", priority_class(plan.priority_class), opts)
    testing = _preflight_namespace(plan, opts)
    domains = _compute_domains(shared, {**namespaces, **testing})
    # A test that fails stops the update, and nothing more is made. A controller that is half made would then be waited
    # for in vain.
    preflights = _preflights(shared, testing, domains, leader_worker_set.chart)
    claims = {
        name: _claims(shared, namespaces[name])
        for name in dict.fromkeys(model.namespace for model in plan.models if model.transport)
    }
    for model in plan.models:
        needed = list(images)
        if model.node_pool in preflights:
            # The test needs two free nodes, so it comes first.
            needed.append(preflights[model.node_pool])
        if model.weights.node_cache:
            # Its pods mount a folder of the node by its path.
            needed.append(caches[model.node_pool])
        if model.node_pool in pulls:
            needed.append(pulls[model.node_pool])
        if model.weights.bucket:
            needed.append(fills[model.weights.bucket.folder])
        # Its pods name the account by a string.
        needed += accounts
        if model.transport:
            needed += [*needs, *claims[model.namespace], *domains.get((model.namespace, model.name), [])]
        VllmServer(
            model.name,
            VllmServerArgs(
                plan=model,
                node_pool=node_pools[model.node_pool],
                token=tokens[model.namespace],
                priority_class=priority,
                leader_worker_set=leader_worker_set,
                needs=needed,
            ),
            opts=opts,
        )


def _node_caches(shared: _InCluster, images: Sequence[pulumi.Resource]) -> dict[str, pulumi.Resource]:
    """The caches of nodes by the name of their pool."""
    return {
        pool: NodeCache(
            cache.name,
            NodeCacheArgs(plan=cache, node_pool=shared.node_pools[pool], images=images),
            opts=shared.opts,
        )
        for cache in shared.plan.node_caches
        for pool in cache.node_pools
    }


def _pre_pulls(shared: _InCluster, images: Sequence[pulumi.Resource]) -> dict[str, pulumi.Resource]:
    """What holds servers' images on nodes, by the name of their pool."""
    found: dict[str, pulumi.Resource] = {}
    for pulled in shared.plan.pre_pulls:
        for pool in pulled.node_pools:
            # The rollout of a DaemonSet means something only once the nodes exist.
            after_nodes = pulumi.ResourceOptions(depends_on=[shared.node_pools[pool].ready, *images])
            opts = pulumi.ResourceOptions.merge(shared.opts, after_nodes)
            found[pool] = KubernetesObject(pulled.name, pre_pull(pulled), opts)
    return found


def _fills(
    shared: _InCluster,
    identities: Identities,
    namespaces: Mapping[str, ServingNamespace],
    tokens: Mapping[str, AnyToken],
    images: Sequence[pulumi.Resource],
) -> Mapping[str, pulumi.Resource]:
    """The Jobs that fill the bucket, by the folder that each fills."""
    if identities.fills is None:
        return {}
    args = BucketFillsArgs(
        plans=shared.plan.bucket_fills,
        identity=identities.fills,
        namespaces=namespaces,
        tokens=tokens,
        node_pools=shared.node_pools,
        images=images,
    )
    return BucketFills("bucket-fills", args, opts=shared.opts).jobs


def _preflight_namespace(plan: PlatformPlan, opts: pulumi.ResourceOptions) -> dict[str, ServingNamespace]:
    """The namespace of the test by its name; empty if there is no test."""
    home = plan.preflight_namespace
    if home is None:
        return {}
    return {home.name: ServingNamespace(home.name, ServingNamespaceArgs(plan=home, access=plan.access), opts=opts)}


def _preflights(
    shared: _InCluster,
    namespaces: Mapping[str, ServingNamespace],
    domains: Mapping[tuple[str, str], list[pulumi.Resource]],
    first: pulumi.Resource,
) -> dict[str, pulumi.Resource]:
    """The tests by the name of the pool that each has tested."""
    claims = [claim for namespace in namespaces.values() for claim in _claims(shared, namespace)]
    return {
        preflight.node_pool: NcclPreflight(
            preflight.name,
            NcclPreflightArgs(
                plan=preflight,
                access=shared.plan.access,
                node_pool=shared.node_pools[preflight.node_pool],
                namespace=namespaces[preflight.namespace],
                needs=[first, *shared.fabric_needs, *claims, *domains.get((preflight.namespace, preflight.name), [])],
            ),
            opts=shared.opts,
        )
        for preflight in shared.plan.preflights
    }


def _claims(shared: _InCluster, namespace: ServingNamespace) -> list[pulumi.Resource]:
    templates = shared.plan.fabric.claim_templates if shared.plan.fabric else ()
    if not templates:
        return []
    args = DeviceClaimsArgs(templates=templates, namespace=namespace)
    return [DeviceClaims(f"claims-{namespace.name}", args, opts=shared.opts)]


def _compute_domains(
    shared: _InCluster, namespaces: Mapping[str, ServingNamespace]
) -> dict[tuple[str, str], list[pulumi.Resource]]:
    """The compute domain of each server and test that needs one, by its namespace and name."""
    plan = shared.plan
    if plan.dra_driver is None:
        return {}
    args = DraDriverArgs(
        plan=plan.dra_driver,
        system_pool=plan.cluster.system_pool.name,
        node_pools=list(shared.node_pools.values()),
    )
    driver = DraDriver("dra-driver", args, opts=shared.chart_opts)
    return {
        (domain.namespace, domain.name): [driver.compute_domain(domain, namespaces[domain.namespace])]
        for domain in plan.compute_domains
    }
