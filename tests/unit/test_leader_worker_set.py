"""The LeaderWorkerSet controller: while none of its replicas answers, no group and no pod of a group is admitted."""

from components.manifests import leader_worker_set as manifests
from tests.unit.serving import TWO_NODES, platform

PLAN = platform(TWO_NODES).leader_worker_set


def test_it_has_two_replicas_on_two_nodes_where_there_are_two() -> None:
    values = manifests.values(PLAN, "system")
    assert values["replicaCount"] == 2
    assert values["nodeSelector"] == {"cloud.google.com/gke-nodepool": "system"}
    rules = values["affinity"]["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
    assert [rule["podAffinityTerm"]["topologyKey"] for rule in rules] == ["kubernetes.io/hostname"]


def test_nothing_on_the_system_pool_takes_its_place() -> None:
    deployment = {"kind": "Deployment", "spec": {"replicas": 2, "template": {"metadata": {}, "spec": {"volumes": []}}}}
    made = manifests.with_priority(deployment, PLAN.priority_class)
    assert made["spec"]["template"]["spec"] == {"volumes": [], "priorityClassName": "system-cluster-critical"}
    assert made["spec"]["replicas"] == 2 and "priorityClassName" not in deployment["spec"]["template"]["spec"]


def test_a_drain_takes_one_at_a_time() -> None:
    budget = manifests.disruption_budget(PLAN)
    assert budget["spec"]["maxUnavailable"] == 1
    assert budget["metadata"]["namespace"] == PLAN.namespace
