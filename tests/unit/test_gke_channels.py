"""A cluster asks its release channel for a version that the channel has; what nobody knows by now is a warning."""

from pathlib import Path
from typing import Any

import pytest

from catalog import ACCELERATORS, GKE_CHANNELS, gke_version_reaches
from config import read_stack_file
from config.cluster import ReleaseChannel
from config.validate import validate
from planning.plan import ClusterPlan, PlatformPlan
from planning.platform import plan_platform
from tests.unit.google_rules import changed, stack_values

CHECKOUT = Path(__file__).parents[2]
STACKS = sorted(file.name.split(".")[1] for file in CHECKOUT.glob("Pulumi.*.yaml"))
JOINED = {"existing": {"name": "shared", "systemPool": "system", "provides": ["nodePools"]}, "version": "1.31"}


def planned(stack: str = "dev", **cluster: Any) -> PlatformPlan:
    values = changed(stack_values(stack), {"cluster": cluster})
    return plan_platform(validate(stack, values, frozenset(), to_deploy=False), stack)


def minor_of(plan: PlatformPlan) -> str | None:
    assert isinstance(plan.cluster, ClusterPlan)
    return plan.cluster.minor


def said(plan: PlatformPlan) -> list[str]:
    return [warning.text for warning in plan.warnings if warning.path.endswith("cluster.version")]


def test_every_channel_that_can_be_written_has_a_row() -> None:
    assert set(GKE_CHANNELS) == {channel.value for channel in ReleaseChannel}


@pytest.mark.parametrize("stack", STACKS)
def test_no_shipped_stack_asks_a_channel_for_a_version_that_its_row_does_not_have(stack: str) -> None:
    cluster = plan_platform(read_stack_file(CHECKOUT, stack), stack).cluster
    assert isinstance(cluster, ClusterPlan) and cluster.version and cluster.minor
    row = GKE_CHANNELS[cluster.release_channel]
    assert not row.is_over(cluster.version) and not row.is_yet_to_come(cluster.version)


@pytest.mark.parametrize("channel", GKE_CHANNELS)
def test_what_no_stack_file_says_is_in_the_channel_and_new_enough_for_every_machine(channel: str) -> None:
    row = GKE_CHANNELS[channel]
    for accelerator in ACCELERATORS.values():
        known = accelerator.gke.default_prefix
        assert known is not None
        version = row.nearest(known.rstrip("."))
        assert not row.is_over(version) and not row.is_yet_to_come(version)
        for machine in accelerator.machine_types:
            assert gke_version_reaches(version, accelerator.gke_floors_of(machine)) is not False, machine.name


def test_the_stable_channel_gets_the_newest_that_it_has() -> None:
    assert minor_of(planned(releaseChannel="stable")) == GKE_CHANNELS["stable"].newest == "1.35"
    assert minor_of(planned(releaseChannel="regular")) == "1.36"


@pytest.mark.parametrize("version", ["1.33", "1.33.5-gke.1000000", "1.9"])
def test_what_a_channel_no_longer_offers_is_refused(version: str) -> None:
    with pytest.raises(ValueError, match="no longer offered") as refused:
        planned(version=version)
    assert (
        f"inference-platform:cluster.version: GKE {version} is no longer offered by the regular channel, which had "
        "1.34 to 1.36 on 2026-09-08. Write 1.34 or newer, or leave version out"
    ) in str(refused.value)


@pytest.mark.parametrize(
    ("channel", "version"), [("stable", "1.36"), ("regular", "1.37.0-gke.3165000"), ("rapid", "1.40")]
)
def test_what_is_newer_than_the_row_is_a_warning_with_its_date(channel: str, version: str) -> None:
    plan = planned(releaseChannel=channel, version=version)
    newest = GKE_CHANNELS[channel].newest
    assert said(plan) == [
        f"GKE {version} is newer than what is known of the {channel} channel, which had 1.34 to {newest} on "
        "2026-09-08; `make doctor STACK=…` asks Google whether it has it"
    ]
    assert isinstance(plan.cluster, ClusterPlan) and plan.cluster.version == version


@pytest.mark.parametrize("version", ["1.34", "1.35.8-gke.1036000", "1.36"])
def test_what_the_row_has_needs_no_word(version: str) -> None:
    assert said(planned(version=version)) == []


def test_the_version_of_a_joined_cluster_is_its_owners() -> None:
    assert planned(**JOINED).cluster.version == "1.31"
