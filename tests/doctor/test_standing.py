"""A stack that is up already is no failure: what it has itself is told from what others have."""

from typing import Any

from sandbox.cloud.resources.node_pool import group_name
from sandbox.cloud.situation import Limit
from sandbox.cloud.store import Record, State
from tests.doctor.standing import PROJECT, Doctor
from tests.doctor.test_scenarios import good
from verification.doctor.rows import Row

ZONE = "us-central1-b"
CLUSTER = f"projects/{PROJECT}/locations/us-central1/clusters/production-cluster"
POOL = f"{CLUSTER}/nodePools/h200"


def standing(nodes: int) -> State:
    """`production` as its first `up` left it, with so many of its reserved nodes."""
    group = f"{group_name(POOL, ZONE)}-grp"
    url = f"https://www.googleapis.com/compute/v1/projects/{PROJECT}/zones/{ZONE}/instanceGroupManagers/{group}"
    pool: dict[str, Any] = {
        "name": "h200",
        "cluster": CLUSTER,
        "nodeCount": nodes,
        "nodeLocations": [ZONE],
        "instanceGroupUrls": [url],
        "nodeConfig": {
            "reservationAffinity": {
                "consumeReservationType": "SPECIFIC_RESERVATION",
                "values": ["inference-production"],
            },
            "guestAccelerators": [{"type": "nvidia-h200-141gb", "count": 8}],
        },
    }
    cluster: dict[str, Any] = {"name": "production-cluster", "location": "us-central1"}
    return State(
        resources={
            CLUSTER: Record("gcp:container/cluster:Cluster", cluster, cluster),
            POOL: Record("gcp:container/nodePool:NodePool", pool, pool),
        }
    )


def test_reserved_machines_that_the_pool_has_itself_are_free_for_it(doctor: Doctor) -> None:
    run = doctor.examine(situation=good(), state=standing(2))
    assert run.failed() == {}, run.said
    assert "2 in use, 2 of them by this pool" in run.rows["h200", Row.RESERVATION][1]


def test_reserved_machines_that_somebody_else_has_are_not(doctor: Doctor) -> None:
    run = doctor.examine(situation=good(), state=standing(1), reservations=[{"inUse": 1}])
    assert [row for _, row in run.failed()] == [Row.RESERVATION]
    assert "2 in use, 1 of them by this pool" in run.failed()["h200", Row.RESERVATION]


def test_what_is_in_use_of_a_limit_may_be_the_stacks_own_and_is_then_not_told(doctor: Doctor) -> None:
    full = good(projectLimits={"NETWORKS": Limit(limit=5, usage=3)})
    before, after = doctor.examine(situation=full), doctor.examine(situation=full, state=standing(2))
    assert [row for _, row in before.failed()] == [Row.QUOTA]
    assert after.failed() == {}, after.said
    assert "which part of that is its own is not told" in after.unseen()["NETWORKS", Row.QUOTA]


def test_a_limit_below_what_is_wanted_fails_though_the_stack_stands(doctor: Doctor) -> None:
    run = doctor.examine(situation=good(projectLimits={"NETWORKS": Limit(limit=2)}), state=standing(2))
    assert [row for _, row in run.failed()] == [Row.QUOTA]


def test_a_limit_that_is_enough_to_begin_with_passes_and_says_what_more_to_ask_for(doctor: Doctor) -> None:
    run = doctor.examine("dev", situation=good(regionalLimits={"CPUS": Limit(limit=12)}))
    assert run.failed() == {}, run.said
    assert "enough to begin with; for more ask for 24 of CPUS in us-central1" in run.rows["CPUS", Row.QUOTA][1]


def test_a_limit_that_may_not_be_the_one_that_counts_does_not_fail(doctor: Doctor) -> None:
    run = doctor.examine("h200", situation=good(regionalLimits={"PREEMPTIBLE_LOCAL_SSD_GB": Limit(limit=0)}))
    assert run.failed() == {}, run.said
    assert "not certain" in run.unseen()["PREEMPTIBLE_LOCAL_SSD_GB", Row.QUOTA]
