"""What a change of each field replaces is what the field says, by the stand-in's own account of what Google can change.

The graph before and after a change is compared resource by resource, without Pulumi: what Google would have to make
again counts as replaced, and so does what stands on it.
"""

import json
from collections.abc import Iterator
from functools import cache
from itertools import islice
from typing import Any

import pytest

from config import ConfigurationError, read_stack_file
from config.effect import Effect, effects
from config.settings import Settings
from config.validate import validate
from planning.platform import plan_platform
from sandbox.cloud.diff import differences
from sandbox.cloud.resources import KINDS
from sandbox.cloud.values import Properties
from tests.graph.existing import EXISTING
from tests.graph.mutations import fields, mutations
from tests.graph.recorder import CHECKOUT, NAMESPACE, PROJECT_ID, TOKEN, Graph, Registration, record

FIELDS = dict(fields())
EFFECTS = effects(Settings)
STACKS = ("l4", "h200", "h100", "gb200")
"""One of each kind: without a fabric and with several, autoscaled, spot, reserved."""
CLUSTER = "gcp:container/cluster:Cluster"
NODE_POOL = "gcp:container/nodePool:NodePool"
STANDS_ON = {
    "gcp:compute/subnetwork:Subnetwork": ("gcp:compute/network:Network",),
    CLUSTER: ("gcp:compute/network:Network", "gcp:compute/subnetwork:Subnetwork"),
    NODE_POOL: (
        CLUSTER,
        "gcp:compute/network:Network",
        "gcp:compute/subnetwork:Subnetwork",
        "gcp:compute/resourcePolicy:ResourcePolicy",
        "gcp:serviceaccount/account:Account",
    ),
}
"""Kinds that hold the id of another in a property that cannot change in place."""
ORDER = list(Effect)
JOINED = ("cluster.existing.", "network.existing.")
"""Fields about what others own: another resource is joined and the old one left, so Google replaces nothing."""
_PER_STACK = 5


@cache
def graph(stack: str, values: str) -> Graph:
    """The graph of a stack with these values."""
    settings = {key: item if isinstance(item, str) else json.dumps(item) for key, item in json.loads(values).items()}
    ours = {f"{NAMESPACE}:{key}": value for key, value in settings.items()}
    token = {} if "token" in settings else {f"{NAMESPACE}:huggingFaceToken": TOKEN}
    return record(stack, preview=False, config={f"{NAMESPACE}:project": PROJECT_ID, **token, **ours}, existing=EXISTING)


def google_plan(stack: str, values: dict[str, Any]) -> dict[str, Any] | None:
    """What of a plan becomes resources of Google's, and the project; None if the plan refuses the values."""
    try:
        settings = validate(stack, values, frozenset(), to_deploy=False)
        plan = plan_platform(settings, stack).model_dump(mode="json")
    except ConfigurationError:
        return None
    parts = (
        *("name_prefix", "region", "services", "cluster", "node_pools", "fabric"),
        *("labels", "protection", "alerts", "token", "gpu_nodes_keep_version"),
    )
    return {"project": settings.project, **{part: plan[part] for part in parts}}


def replaced(before: Graph, after: Graph) -> set[str]:
    """The keys of the old resources that do not live on."""
    now = {registration.key: registration for registration in after.registrations}
    gone: set[str] = set()
    # Registrations know what they depend on, so going round until nothing more falls needs no order.
    while True:
        more = {old.key for old in before.registrations if old.key not in gone and _falls(old, now.get(old.key), gone)}
        if not more:
            return gone
        gone |= more


def _falls(old: Registration, new: Registration | None, gone: set[str]) -> bool:
    if old.type not in KINDS:
        return False
    if new is None:
        return True
    if any(key in gone and key.split(" ")[0] in STANDS_ON.get(old.type, ()) for key in old.dependencies):
        return True
    ignored = tuple(old.options["ignoreChanges"])
    inputs = [Properties({key: value for key, value in r.inputs.items() if key not in ignored}) for r in (old, new)]
    found = differences(KINDS[old.type], *inputs, Properties({}))
    always = old.options["replaceOnChanges"]
    return any(difference.replaces or difference.path.startswith(tuple(always)) for difference in found)


def effect_of(before: Graph, after: Graph) -> Effect:
    # A resource that names no project has its provider's, and cannot move to another.
    if before["google"].inputs["project"] != after["google"].inputs["project"]:
        return Effect.CLUSTER
    types = {key.split(" ")[0] for key in replaced(before, after)}
    return Effect.CLUSTER if CLUSTER in types else Effect.NODE_POOL if NODE_POOL in types else Effect.IN_PLACE


def observed(path: str) -> Iterator[Effect]:
    """The effects of some changes of a field in each stack, until one has the effect that is said.

    There is no wider one than that on the cluster, and two stacks are enough for what changes in place.
    """
    said, in_place = EFFECTS[path], 0
    for stack in STACKS:
        for before, after in islice(mutations(stack, path, FIELDS[path]), _PER_STACK):
            plans = [google_plan(stack, values) for values in (before, after)]
            if None in plans:
                continue
            same = plans[0] == plans[1]
            graphs = (json.dumps(values, sort_keys=True) for values in (before, after))
            effect = Effect.IN_PLACE if same else effect_of(*(graph(stack, values) for values in graphs))
            yield effect
            if effect is Effect.CLUSTER:
                return
            if effect is said:
                in_place += said is Effect.IN_PLACE
                break
        if in_place == 2:
            return


@pytest.mark.parametrize("path", [path for path in FIELDS if not path.startswith(JOINED)])
def test_a_field_replaces_what_it_says_and_no_more(path: str) -> None:
    seen = set(observed(path))
    said = EFFECTS[path]
    assert all(ORDER.index(effect) <= ORDER.index(said) for effect in seen), seen
    # Some values change less; the widest is what a person must know.
    assert said in seen or said in (Effect.IN_PLACE, Effect.NEW_POOLS), f"nothing showed that {path} {said}"


@pytest.mark.parametrize("path", [path for path in FIELDS if path.startswith(JOINED)])
def test_to_join_another_cluster_or_network_moves_all_that_stands_on_it(path: str) -> None:
    assert EFFECTS[path] is Effect.CLUSTER


def test_the_plan_says_which_fields_replace_something() -> None:
    plan = plan_platform(read_stack_file(CHECKOUT, "h200"), "h200")
    assert plan.effects == {path: effect for path, effect in EFFECTS.items() if effect is not Effect.IN_PLACE}


def test_a_graph_replaces_nothing_of_itself() -> None:
    for stack in STACKS:
        _, values = next(mutations(stack, "leaderWorkerSet.chart", FIELDS["leaderWorkerSet.chart"]))
        same = graph(stack, json.dumps(values, sort_keys=True))
        assert same and replaced(same, same) == set()
