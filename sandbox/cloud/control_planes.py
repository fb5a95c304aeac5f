"""What clusters and node pools do beside the cloud's state: control planes run, and nodes exist in them."""

import json
from pathlib import Path
from typing import Protocol

from sandbox.cloud.kinds import Refused
from sandbox.cloud.nodes import POOL_LABEL, nodes_of_pool
from sandbox.cloud.references import last, project_of
from sandbox.cloud.resources.cluster import with_control_plane
from sandbox.cloud.resources.common import CLUSTER, FIREWALL, NODE_POOL
from sandbox.cloud.resources.pool_size import pools_of
from sandbox.cloud.store import Record, State
from sandbox.cloud.system_pods import system_daemon_set
from sandbox.cloud.tables import Tables
from sandbox.cloud.values import Properties, Value
from sandbox.cloud.versions import NETWORKING_DEVICE_CLASSES, at_least
from sandbox.cluster import ClusterError, ClusterFeatures, ControlPlane, Workloads
from sandbox.cluster.layout import CA_FILE
from sandbox.tools import ClusterTools

TRUSTED = "ca.pem"
"""The file, beside the control planes' folders, with the certificates that a Pulumi engine must trust."""


class Effects(Protocol):
    """What a change of a resource causes beside the change of the state."""

    def applied(self, state: State, id_: str, record: Record) -> Record:
        """Make a created or changed resource real; returns its record with what resulted."""
        ...

    def deleted(self, state: State, id_: str, record: Record) -> None:
        """Remove what the resource caused."""
        ...

    def asleep(self, state: State) -> bool:
        """Whether something that the state records does not run, or runs though nobody can reach it."""
        ...

    def wake(self, state: State) -> None: ...


class Paper:
    """Clusters that are only recorded, with an endpoint at which nobody answers."""

    def applied(self, state: State, id_: str, record: Record) -> Record:
        return record

    def deleted(self, state: State, id_: str, record: Record) -> None:
        _forget_pools(state, id_, record)

    def asleep(self, state: State) -> bool:
        return False

    def wake(self, state: State) -> None: ...


class ControlPlanes:
    """Runs a control plane for each cluster, in a folder with the cluster's name.

    `reachable`: False stops the control planes of clusters that are there already, and nobody answers.
    `balancers_stay`: True leaves the firewall rules of a deleted cluster's load balancers behind.
    """

    def __init__(
        self,
        folder: Path,
        tools: ClusterTools,
        tables: Tables,
        workloads: Workloads | None,
        *,
        reachable: bool = True,
        balancers_stay: bool = False,
    ) -> None:
        self._folder = folder
        self._tools = tools
        self._tables = tables
        self._workloads = workloads
        self._reachable = reachable
        self._balancers_stay = balancers_stay

    def plane(self, cluster_id: str) -> ControlPlane:
        return ControlPlane(self._folder / last(cluster_id), self._tools, self._workloads)

    def applied(self, state: State, id_: str, record: Record) -> Record:
        try:
            if record.token == CLUSTER:
                return self._started(id_, record)
            if record.token == NODE_POOL:
                self._set_nodes(state, id_, record)
        except ClusterError as error:
            raise Refused(f"{id_}: {error}") from error
        return record

    def deleted(self, state: State, id_: str, record: Record) -> None:
        try:
            if record.token == CLUSTER:
                if self._balancers_stay:
                    state.resources.update(_firewalls_of_balancers(self.plane(id_), id_, record))
                self.plane(id_).destroy()
                self._trust()
            elif record.token == NODE_POOL and self.plane(_cluster_of(id_)).running():
                self.plane(_cluster_of(id_)).delete_nodes(f"{POOL_LABEL}={last(id_)}")
        except ClusterError as error:
            raise Refused(f"{id_}: {error}") from error
        _forget_pools(state, id_, record)

    def asleep(self, state: State) -> bool:
        return any(self.plane(id_).running() != self._reachable for id_, _ in state.of(CLUSTER))

    def wake(self, state: State) -> None:
        if not self._reachable:
            for id_, _ in state.of(CLUSTER):
                self.plane(id_).stop()
            return
        for token in (CLUSTER, NODE_POOL):
            for id_, record in list(state.of(token)):
                state.resources[id_] = self.applied(state, id_, record)

    def _started(self, id_: str, record: Record) -> Record:
        plane = self.plane(id_)
        plane.prepare()
        self._trust()
        plane.start(_features(record.properties))
        daemons = json.dumps(system_daemon_set())
        plane.kubectl("apply", "--server-side", "--field-manager=sandbox", "--filename=-", stdin=daemons)
        outputs = with_control_plane(record.outputs, plane.endpoint, plane.ca_file.read_text(encoding="utf-8"))
        return Record(record.token, record.inputs, outputs)

    def _trust(self) -> None:
        """Writes one file with the authorities of all control planes, for a Pulumi engine that would trust public
        certificates."""
        authorities = [file.read_text(encoding="utf-8") for file in sorted(self._folder.glob(f"*/{CA_FILE}"))]
        file = self._folder / TRUSTED
        if authorities:
            file.write_text("".join(authorities), encoding="utf-8")
        else:
            file.unlink(missing_ok=True)

    def _set_nodes(self, state: State, id_: str, record: Record) -> None:
        """Makes the pool's nodes as recorded, and removes all others of the pool."""
        plane = self.plane(_cluster_of(id_))
        nodes = nodes_of_pool(id_, record, self._tables)
        wanted = {f"node/{node['metadata']['name']}" for node in nodes}
        there = set(plane.kubectl("get", "nodes", f"--selector={POOL_LABEL}={last(id_)}", "--output=name").split())
        surplus = sorted(name.removeprefix("node/") for name in there - wanted)
        if surplus:
            plane.delete_nodes(f"kubernetes.io/hostname in ({','.join(surplus)})")
        plane.apply_nodes(nodes)


def _features(cluster: Properties) -> ClusterFeatures:
    channel = cluster.text("gatewayApiConfig.channel")
    return ClusterFeatures(
        multi_networking=bool(cluster.flag("enableMultiNetworking")),
        gateway_api=channel in ("CHANNEL_STANDARD", "CHANNEL_EXPERIMENTAL"),
        secret_manager=bool(cluster.flag("secretManagerConfig.enabled")),
        managed_prometheus=bool(cluster.flag("monitoringConfig.managedPrometheus.enabled")),
        managed_dranet=at_least(cluster.text("masterVersion") or "", NETWORKING_DEVICE_CLASSES),
    )


def _firewalls_of_balancers(plane: ControlPlane, cluster: str, record: Record) -> dict[str, Record]:
    """The firewall rules that GKE made for Services of type LoadBalancer, by id.

    Their names are those of `MakeFirewallName` and `DefaultLoadBalancerName` (cloud-provider-gcp
    `providers/gce/gce_loadbalancer_naming.go`, k8s.io/cloud-provider `cloud.go`, read on 2026-11-29).
    """
    services = json.loads(plane.kubectl("get", "services", "--all-namespaces", "--output=json"))["items"]
    uids = [each["metadata"]["uid"] for each in services if each["spec"].get("type") == "LoadBalancer"]
    found: dict[str, Record] = {}
    for uid in uids:
        name = f"k8s-fw-{('a' + uid.replace('-', ''))[:32]}"
        rule: dict[str, Value] = {
            "name": name,
            "network": record.properties.text("network"),
            "sourceRanges": ["0.0.0.0/0"],
        }
        found[f"projects/{project_of(cluster)}/global/firewalls/{name}"] = Record(FIREWALL, rule, rule)
    return found


def _cluster_of(pool_id: str) -> str:
    return pool_id.split("/nodePools/")[0]


def _forget_pools(state: State, id_: str, record: Record) -> None:
    """Removes the records of a deleted cluster's node pools, as Google deletes them with it."""
    if record.token == CLUSTER:
        for pool, _ in pools_of(state, id_):
            del state.resources[pool]
