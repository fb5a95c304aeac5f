"""A kind of capacity is whole: it has traits, fields in a stack file, machines, and words of its own for GKE."""

from typing import get_args

import pytest

from catalog import ACCELERATORS, GKE_FEATURES, CapacityKind
from catalog.capacity import ReservationUse
from config.node_pools import Capacity


@pytest.mark.parametrize("kind", CapacityKind)
def test_gke_and_the_catalogue_know_it(kind: CapacityKind) -> None:
    traits = kind.traits
    assert traits.gke_feature is None or traits.gke_feature in GKE_FEATURES
    machines = [machine for accelerator in ACCELERATORS.values() for machine in accelerator.machine_types]
    assert any(kind in machine.capacity for machine in machines), "no machine is obtained so"


def test_a_stack_file_can_ask_for_each_of_them() -> None:
    union, *_ = get_args(Capacity)
    tags = [get_args(part.model_fields["kind"].annotation)[0] for part in get_args(union)]
    assert sorted(tags) == sorted(kind.value for kind in CapacityKind)


def test_gke_can_tell_one_from_another() -> None:
    """By the flag, or by the reservation that a pool names; only ordinary machines are asked for by neither."""
    asked = {kind: (kind.traits.flag, kind.traits.reservations is ReservationUse.SPECIFIC) for kind in CapacityKind}
    assert len(set(asked.values())) == len(asked)
    assert asked[CapacityKind.ON_DEMAND] == (None, False)
