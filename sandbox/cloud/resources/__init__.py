"""Every kind of resource that this cloud knows; another kind needs another line here."""

from sandbox.cloud.kinds import Kind
from sandbox.cloud.resources.artifacts import REPOSITORY_KIND, REPOSITORY_MEMBER_KIND
from sandbox.cloud.resources.cluster import CLUSTER_KIND
from sandbox.cloud.resources.firewall import FIREWALL_KIND
from sandbox.cloud.resources.identity import ACCOUNT_KIND, ACCOUNT_MEMBER_KIND, PROJECT_MEMBER_KIND
from sandbox.cloud.resources.monitoring import CHANNEL_KIND, POLICY_KIND
from sandbox.cloud.resources.network import NETWORK_KIND
from sandbox.cloud.resources.node_pool import NODE_POOL_KIND
from sandbox.cloud.resources.placement import RESOURCE_POLICY_KIND
from sandbox.cloud.resources.routing import ADDRESS_KIND, ROUTER_KIND, ROUTER_NAT_KIND
from sandbox.cloud.resources.secrets import SECRET_MEMBER_KIND
from sandbox.cloud.resources.services import SERVICE_KIND
from sandbox.cloud.resources.storage import BUCKET_KIND, BUCKET_MEMBER_KIND, MANAGED_FOLDER_KIND
from sandbox.cloud.resources.subnetwork import SUBNETWORK_KIND

KINDS: dict[str, Kind] = {
    kind.token: kind
    for kind in (
        SERVICE_KIND,
        NETWORK_KIND,
        SUBNETWORK_KIND,
        ROUTER_KIND,
        ROUTER_NAT_KIND,
        FIREWALL_KIND,
        ADDRESS_KIND,
        RESOURCE_POLICY_KIND,
        ACCOUNT_KIND,
        ACCOUNT_MEMBER_KIND,
        PROJECT_MEMBER_KIND,
        SECRET_MEMBER_KIND,
        BUCKET_KIND,
        BUCKET_MEMBER_KIND,
        MANAGED_FOLDER_KIND,
        REPOSITORY_KIND,
        REPOSITORY_MEMBER_KIND,
        CHANNEL_KIND,
        POLICY_KIND,
        CLUSTER_KIND,
        NODE_POOL_KIND,
    )
}
