"""A pool is what the stack file asks for; the rest follows from the machine and the way to obtain it."""

from typing import Any

import pytest

from config.node_pools import SurgeSettings
from config.validate import validate
from planning.plan import NodePoolPlan, PlatformPlan
from planning.platform import plan_platform
from tests.unit.google_rules import changed, stack_values


def plan(stack: str, **changes: Any) -> PlatformPlan:
    """A shipped stack with keys of its first pool changed."""
    values = changed(stack_values(stack), {f"nodePools.0.{key}": value for key, value in changes.items()})
    return plan_platform(validate(stack, values, frozenset(), to_deploy=False), stack)


def pool(stack: str, **changes: Any) -> NodePoolPlan:
    return plan(stack, **changes).node_pools[0]


FLEX = {"capacity": {"kind": "flexStart"}, "nodes": {"min": 0, "max": 2}}
RESERVED = {"kind": "reservation", "name": "mine"}


class TestCapacity:
    @pytest.mark.parametrize("kind", ["onDemand", "spot"])
    def test_ordinary_machines_have_a_fixed_count_and_are_repaired(self, kind: str) -> None:
        made = pool("dev", capacity={"kind": kind})
        assert (made.nodes, made.scales, made.auto_repair) == (1, False, True)
        assert made.provisioning.value == kind and made.reservation is None and made.max_run_seconds is None

    def test_a_flex_start_pool_begins_empty_ends_in_time_and_is_not_repaired(self) -> None:
        made = pool("h200", **FLEX)
        assert (made.nodes, made.min_nodes, made.max_nodes) == (0, 0, 2)
        assert made.max_run_seconds == 168 * 3600
        assert made.auto_repair is False

    @pytest.mark.parametrize("kind", ["onDemand", "spot", "reservation"])
    def test_nodes_that_stay_are_upgraded_one_at_a_time_without_a_spare(self, kind: str) -> None:
        made = pool("dev", capacity={"kind": kind, **({"name": "mine"} if kind == "reservation" else {})})
        assert made.upgrade == SurgeSettings(max_surge=0, max_unavailable=1)

    def test_nodes_that_run_out_are_not_upgraded_but_replaced(self) -> None:
        made = pool("h200", **FLEX)
        assert (made.upgrade, made.nodes_at_once) == (None, 2)
        with pytest.raises(ValueError, match=r"nodePools\[0\]\.surge: GKE upgrades .* Leave surge out"):
            pool("h200", **FLEX, surge={"maxSurge": 1})

    def test_nobody_can_ask_for_nodes_that_wait_for_a_request_which_nobody_makes(self) -> None:
        with pytest.raises(ValueError, match=r"nodePools\[0\]\.capacity"):
            pool("h200", capacity={"kind": "queued"}, nodes={"min": 0, "max": 2})

    def test_a_flex_start_node_runs_no_longer_than_it_is_told(self) -> None:
        made = pool("h200", nodes={"min": 0, "max": 2}, capacity={"kind": "flexStart", "maxRunDurationHours": 24})
        assert made.max_run_seconds == 24 * 3600

    @pytest.mark.parametrize(
        ("more", "path"),
        [
            ({}, "mine"),
            ({"block": "b1"}, "mine/reservationBlocks/b1"),
            ({"block": "b1", "subBlock": "s1"}, "mine/reservationBlocks/b1/reservationSubBlocks/s1"),
        ],
    )
    def test_a_reservation_is_named_down_to_its_sub_block(self, more: dict[str, str], path: str) -> None:
        made = pool("h200", capacity={**RESERVED, **more})
        assert made.reservation and made.reservation.path == path and made.reservation.project is None

    def test_a_reservation_of_another_project_is_that_projects(self) -> None:
        made = pool("h200", capacity={**RESERVED, "project": "other-project"})
        assert made.reservation and made.reservation.project == "other-project"

    def test_before_its_reservation_begins_a_pool_has_no_nodes_and_its_models_wait(self) -> None:
        made = plan("h200", capacity={**RESERVED, "active": False})
        assert (made.node_pools[0].nodes, made.models, made.cost.usd_per_hour_at_most) != (2, (), None)
        assert made.node_pools[0].nodes == 0 and made.models == ()
        assert any("until reservation mine begins" in warning.text for warning in made.warnings)

    def test_models_of_a_waiting_pool_are_judged_all_the_same(self) -> None:
        values = changed(stack_values("h200"), {"nodePools.0.capacity": {**RESERVED, "active": False}})
        values = changed(values, {"models.0.model": "meta-llama/Llama-3.1-405B-Instruct", "models.0.replicas": 3})
        with pytest.raises(ValueError, match="Write nodes: 3"):
            plan_platform(validate("h200", values, frozenset(), to_deploy=False), "h200")

    def test_spare_machines_of_a_full_reservation_are_warned_of(self) -> None:
        made = plan("h200", capacity=RESERVED, surge={"maxSurge": 1, "maxUnavailable": 0})
        assert any(warning.path.endswith("surge.maxSurge") for warning in made.warnings)


class TestCount:
    def test_a_scaling_pool_begins_with_what_its_models_need(self) -> None:
        assert pool("h200", nodes={"min": 0, "max": 4}).nodes == 2
        assert pool("h200", nodes={"min": 3, "max": 4}).nodes == 3

    def test_models_may_need_all_that_the_autoscaler_can_add(self) -> None:
        made = plan("l4", nodes={"min": 0, "max": 3})
        (use,) = made.pool_use
        assert (use.min_nodes, use.nodes, use.fits_at_minimum) == (0, 3, False)

    def test_quota_and_addresses_are_for_the_most_there_can_be(self) -> None:
        made = plan("l4", nodes={"min": 1, "max": 3})
        assert made.quotas[0].amount == 3
        fewer = plan("l4", nodes={"min": 1, "max": 2})
        assert made.addresses[0].needed == fewer.addresses[0].needed + 1

    def test_cost_is_given_at_both_ends(self) -> None:
        made = plan("l4", nodes={"min": 1, "max": 3}).cost
        assert made.usd_per_hour and made.usd_per_hour_at_most and made.usd_per_hour < made.usd_per_hour_at_most
        assert any("1 to 3 x g2-standard-12" in item.detail for item in made.items)

    def test_equal_bounds_are_a_fixed_count(self) -> None:
        assert pool("l4", nodes={"min": 2, "max": 2}) == pool("l4", nodes=2)


class TestOptions:
    def test_what_is_not_said_has_a_safe_default(self) -> None:
        made = pool("h200")
        assert made.boot_disk_type == "hyperdisk-balanced" and made.gpu_driver_version == "LATEST"
        assert (made.upgrade.max_surge, made.upgrade.max_unavailable) == (0, 1)
        assert made.secure_boot and not made.image_streaming and made.placement is None
        assert made.local_ssds == 32

    def test_image_streaming_enables_its_service(self) -> None:
        image = "projects/acme-images/global/images/vllm"
        made = plan("l4", imageStreaming=True, secondaryBootDisk=image)
        assert made.node_pools[0].secondary_boot_disk == image
        assert "containerfilesystem.googleapis.com" in made.services
        assert "containerfilesystem.googleapis.com" not in plan("l4").services

    def test_compact_placement_needs_no_policy_of_ours(self) -> None:
        made = pool("h200", compactPlacement=True).placement
        assert made and made.policy is None

    def test_a_driver_that_nobody_installs_is_warned_of(self) -> None:
        made = plan("l4", driverVersion="INSTALLATION_DISABLED")
        assert made.node_pools[0].gpu_driver_version == "INSTALLATION_DISABLED"
        assert any("no driver is installed" in warning.text for warning in made.warnings)

    def test_compact_placement_beside_a_reservation_is_warned_of(self) -> None:
        made = plan("h200", capacity=RESERVED, compactPlacement=True)
        assert any("the reservation decides" in warning.text for warning in made.warnings)


class TestNvlinkDomains:
    def test_a_rack_is_asked_for_by_a_workload_policy(self) -> None:
        made = pool("gb200")
        assert made.placement and made.placement.accelerator_topology == "1x72"
        assert made.placement.policy == "gb200-gb200"

    def test_bare_metal_has_no_shielded_nodes_and_huge_pages(self) -> None:
        made = plan("gb300")
        assert made.cluster.shielded_nodes is False and made.node_pools[0].secure_boot is False
        assert made.node_pools[0].huge_pages == 4096
        assert plan("gb200").cluster.shielded_nodes is True

    def test_the_driver_may_have_two_pods_on_each_node_and_a_controller(self) -> None:
        driver = plan("gb200", nodes=3).dra_driver
        assert driver and driver.pods == 7 and driver.version == "25.8.0"
        assert plan("h200").dra_driver is None

    @pytest.mark.parametrize("stack", ["gb200", "gb300"])
    def test_a_server_that_spans_nodes_and_the_test_before_it_have_domains_of_their_own(self, stack: str) -> None:
        made = plan(stack)
        (preflight,), (model,) = made.preflights, made.models
        domains = {domain.name: domain for domain in made.compute_domains}
        assert set(domains) == {preflight.name, model.name} and model.transport
        assert domains[preflight.name].namespace == preflight.namespace
        channels = {domain.channel_template for domain in made.compute_domains}
        for name, transport in ((preflight.name, preflight.transport), (model.name, model.transport)):
            claimed = {claim.template for claim in transport.claims}
            assert claimed & channels == {domains[name].channel_template}
