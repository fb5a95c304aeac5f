"""Makes a part of the stack, or looks up an existing one, as the plan says."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi

from components.accelerator_node_pool import AcceleratorNodePool, AcceleratorNodePoolArgs
from components.cluster_network import ClusterNetwork, ClusterNetworkArgs
from components.existing_cluster import ExistingCluster, ExistingClusterArgs
from components.existing_network import ExistingNetwork, ExistingNetworkArgs
from components.existing_node_pool import ExistingFabric, ExistingNodePool, ExistingNodePoolArgs
from components.fabric import Fabric, FabricArgs
from components.faces import AnyCluster, AnyFabric, AnyNetwork, AnyNodePool, AnyToken, StackContext
from components.gke_cluster import GkeCluster, GkeClusterArgs
from components.hugging_face_token import stack_token
from components.image_mirror import ImageMirror, ImageMirrorArgs
from components.secret_manager_token import SecretManagerToken, SecretManagerTokenArgs
from components.serving_identity import PodAccounts, PodAccountsArgs, ServingIdentity, ServingIdentityArgs
from components.serving_namespace import ServingNamespace
from components.weights_bucket import weights_bucket
from config.pulumi_config import hugging_face_token
from planning.plan import (
    BucketAccountPlan,
    ClusterNetworkPlan,
    ExistingClusterPlan,
    ExistingNetworkPlan,
    FabricPlan,
    NodePoolPlan,
    PlatformPlan,
    SecretManagerSecret,
    TokenPlan,
)


def cluster_of(plan: PlatformPlan, stack: StackContext) -> AnyCluster:
    if isinstance(plan.cluster, ExistingClusterPlan):
        return ExistingCluster("gke", ExistingClusterArgs(plan=plan.cluster, stack=stack), opts=stack.in_google)
    protect = plan.protection.covers_cluster
    return GkeCluster(
        "gke",
        GkeClusterArgs(
            plan=plan.cluster,
            stack=stack,
            network=_network(plan.cluster.network, stack, protect=protect),
            protect=protect,
        ),
        opts=stack.in_google,
    )


def _network(plan: ClusterNetworkPlan | ExistingNetworkPlan, stack: StackContext, *, protect: bool) -> AnyNetwork:
    if isinstance(plan, ExistingNetworkPlan):
        return ExistingNetwork("network", ExistingNetworkArgs(plan=plan, stack=stack), opts=stack.in_google)
    return ClusterNetwork("network", ClusterNetworkArgs(plan=plan, stack=stack, protect=protect), opts=stack.in_google)


def image_sources_of(plan: PlatformPlan, stack: StackContext) -> list[pulumi.Resource]:
    """What must be there before a pod pulls an image, apart from the way to the internet."""
    mirror = plan.image_mirror
    if mirror is None or mirror.exists:
        return []
    return [ImageMirror("image-mirror", ImageMirrorArgs(plan=mirror, stack=stack), opts=stack.in_google)]


def node_pools_of(
    plan: PlatformPlan, stack: StackContext, cluster: AnyCluster
) -> tuple[AnyFabric | None, dict[str, AnyNodePool]]:
    """The accelerators' pools by name, and the networks between their nodes."""
    existing = {
        pool.name: ExistingNodePool(pool.name, ExistingNodePoolArgs(plan=pool, cluster=cluster), opts=stack.in_google)
        for pool in plan.node_pools
        if pool.exists
    }
    own = [pool for pool in plan.node_pools if not pool.exists]
    fabric = _fabric(plan, own, existing, stack)
    made = {
        pool.name: AcceleratorNodePool(
            pool.name,
            AcceleratorNodePoolArgs(
                plan=pool,
                stack=stack,
                cluster=cluster,
                fabric=fabric,
                keep_version=plan.gpu_nodes_keep_version,
                protect=plan.protection.covers(pool.name),
            ),
            opts=stack.in_google,
        )
        for pool in own
    }
    return fabric, {**existing, **made}


def _fabric(
    plan: PlatformPlan,
    own: Sequence[NodePoolPlan],
    existing: Mapping[str, ExistingNodePool],
    stack: StackContext,
) -> AnyFabric | None:
    """The networks between the stack's nodes. None: there are none, or Google makes them by itself."""
    networks: FabricPlan | None = plan.fabric
    if networks is None or not networks.vpcs:
        return None
    if own:
        protect = plan.protection.covers_cluster
        return Fabric("fabric", FabricArgs(plan=networks, stack=stack, protect=protect), opts=stack.in_google)
    attached = [pool for pool in existing.values() if pool.plan.uses_fabric]
    return ExistingFabric.of(attached[0], networks.pod_networks) if attached else None


@dataclass(frozen=True, kw_only=True)
class Identities:
    """The Google accounts of pods."""

    servers: ServingIdentity | None
    fills: ServingIdentity | None


def identities_of(
    plan: PlatformPlan, stack: StackContext, cluster: AnyCluster, namespaces: Sequence[str]
) -> Identities:
    """Those that the stack's pods need: to read a secret, to read a bucket, to fill it."""
    secret, bucket = plan.token.secret, plan.weights_bucket
    access = weights_bucket(bucket, stack) if bucket else None

    def identity(name: str, account: BucketAccountPlan, title: str, of: Sequence[str]) -> ServingIdentity:
        args = ServingIdentityArgs(
            account_id=account.account_id,
            title=title,
            service_account=account.service_account,
            namespaces=of,
            secret=secret,
            bucket=access,
            roles=account.roles,
            stack=stack,
            cluster=cluster,
        )
        return ServingIdentity(name, args, opts=stack.in_google)

    servers = bucket.reader if bucket else _of_secret(secret) if secret else None
    homes = list(dict.fromkeys(fill.namespace for fill in plan.bucket_fills))
    return Identities(
        servers=identity("serving-identity", servers, "Model servers", list(namespaces)) if servers else None,
        fills=identity("fill-identity", bucket.writer, "Fills of the bucket", homes) if bucket and homes else None,
    )


def _of_secret(secret: SecretManagerSecret) -> BucketAccountPlan:
    return BucketAccountPlan(account_id=secret.account_id, service_account=secret.service_account, roles=())


def accounts_of(
    plan: PlatformPlan,
    identities: Identities,
    namespaces: Mapping[str, ServingNamespace],
    opts: pulumi.ResourceOptions,
) -> list[pulumi.Resource]:
    """The servers' Kubernetes service accounts, where no token of Secret Manager brings them."""
    if plan.token.secret or not plan.weights_bucket or not identities.servers:
        return []
    account = plan.weights_bucket.reader.service_account
    args = PodAccountsArgs(account=account, identity=identities.servers, namespaces=namespaces)
    return [PodAccounts("serving-accounts", args, opts=opts)]


def tokens_of(
    plan: TokenPlan,
    stack: StackContext,
    identities: Identities,
    namespaces: Mapping[str, ServingNamespace],
    opts: pulumi.ResourceOptions,
) -> dict[str, AnyToken]:
    """The Hugging Face token of each namespace of servers, by the namespace's name."""
    secret, identity = plan.secret, identities.servers
    if secret is None or identity is None:
        token = hugging_face_token()
        return {
            name: stack_token(f"hugging-face-{name}", plan.name, namespace, token, opts)
            for name, namespace in namespaces.items()
        }
    return {
        name: SecretManagerToken(
            f"hugging-face-{name}",
            SecretManagerTokenArgs(
                name=plan.name, secret=secret, project=stack.project, namespace=namespace, identity=identity
            ),
            opts=opts,
        )
        for name, namespace in namespaces.items()
    }
