"""GPUs that are paid for and used by no model are named with their price, and refused where nobody accepted them."""

from pathlib import Path
from typing import Any

import pytest

from config import read_stack_file
from config.validate import validate
from planning.plan import PlatformPlan
from planning.platform import plan_platform
from planning.report import sections, to_markdown, to_text
from review import EventLog, Planned, build_review, read_plan, to_comment, to_html
from review.plans import PlanView
from tests.unit.google_rules import changed, stack_values

CHECKOUT = Path(__file__).parents[2]
STACKS = sorted(file.name.split(".")[1] for file in CHECKOUT.glob("Pulumi.*.yaml"))
ONE_GPU = [{"name": "small", "model": "google/gemma-3-1b-it", "tensorParallel": 1}]
JOINED = {"existing": {"name": "shared", "systemPool": "system", "provides": ["nodePools"]}}
LATER = {"kind": "reservation", "name": "mine", "active": False}


def planned(stack: str = "h200", **changes: Any) -> PlatformPlan:
    values = changed(stack_values(stack), {"models": ONE_GPU, **changes})
    return plan_platform(validate(stack, values, frozenset(), to_deploy=False), stack)


def refused(**changes: Any) -> str:
    with pytest.raises(ValueError, match="cannot be used") as caught:
        planned(**changes)
    return str(caught.value)


def idle(plan: PlatformPlan) -> list[tuple[int, int]]:
    """For each pool the number of idle GPUs, and of all that are paid for."""
    return [(use.idle, use.gpus) for use in plan.cost.idle]


@pytest.mark.parametrize("stack", STACKS)
def test_no_shipped_stack_has_more_idle_gpus_than_its_file_states(stack: str) -> None:
    stated: dict[str, int] = stack_values(stack).get("acknowledgeIdle", {})
    plan = plan_platform(read_stack_file(CHECKOUT, stack), stack)
    assert {use.pool: use.idle for use in plan.cost.idle if use.idle} == stated
    assert plan.cost.idle and all(use.gpus for use in plan.cost.idle)


def test_only_the_article_states_any() -> None:
    assert [stack for stack in STACKS if "acknowledgeIdle" in stack_values(stack)] == ["article"]
    share = plan_platform(read_stack_file(CHECKOUT, "article"), "article").cost.idle_share
    assert share == pytest.approx(5 / 32)


class TestCount:
    def test_a_machine_is_paid_for_whole(self) -> None:
        assert idle(planned(**{"nodePools.0.nodes": 1})) == [(7, 8)]
        assert idle(planned(**{"nodePools.0.nodes": 2})) == [(15, 16)]

    def test_an_autoscaled_pool_counts_what_it_keeps_or_its_models_need(self) -> None:
        assert idle(planned(**{"nodePools.0.nodes": {"min": 0, "max": 9}})) == [(7, 8)]
        assert idle(planned(**{"nodePools.0.nodes": {"min": 2, "max": 9}})) == [(15, 16)]
        assert idle(planned(**{"nodePools.0.nodes": {"min": 0, "max": 9}, "models": []})) == [(0, 0)]

    def test_a_pool_without_models_is_all_idle(self) -> None:
        assert idle(planned(models=[])) == [(16, 16)]

    def test_a_pool_whose_reservation_has_not_begun_costs_nothing(self) -> None:
        plan = planned(**{"nodePools.0.capacity": LATER})
        assert idle(plan) == [(0, 0)] and plan.cost.idle_usd_per_hour == 0

    def test_pools_of_a_joined_cluster_are_their_owners_to_fill(self) -> None:
        plan = planned(cluster=JOINED)
        assert plan.cost.idle == ()
        assert "idle" not in to_text(sections(plan, "h200"))

    def test_the_price_is_the_pools_by_the_gpu(self) -> None:
        plan = planned()
        (pool,) = [item.usd_per_hour for item in plan.cost.items if item.what.startswith("pool")]
        assert pool and plan.cost.idle_usd_per_hour == pytest.approx(pool * 15 / 16)
        assert plan.cost.idle_share == 15 / 16


class TestSaid:
    def test_the_first_line_says_how_many_and_what_they_cost(self) -> None:
        plan = planned()
        parts = sections(plan, "h200")
        text = to_text(parts).splitlines()[2]
        usd = plan.cost.idle_usd_per_hour
        assert usd and text.startswith(f"• ⚠ 15 of 16 GPUs are idle (94 %): {usd:,.2f} USD per hour, ")
        assert to_markdown(parts).splitlines()[2] == text.replace("•", "-")
        first = plan.warnings[0]
        assert first.path == "inference-platform:nodePools[0].nodes"
        assert first.text.startswith(f"15 of 16 GPUs of pool h200 are idle, at {usd:.2f} USD an hour. Put models on")

    def test_what_is_full_is_said_to_be(self) -> None:
        plan = plan_platform(read_stack_file(CHECKOUT, "h200"), "h200")
        assert to_text(sections(plan, "h200")).splitlines()[2].endswith("none of them idle")
        assert not any("idle" in warning.text for warning in plan.warnings)

    def test_what_is_acknowledged_is_still_in_the_first_line_and_no_warning(self) -> None:
        plan = planned(acknowledgeIdle={"h200": 15})
        assert to_text(sections(plan, "h200")).splitlines()[2].endswith("; 15 acknowledged")
        assert not any("idle" in warning.text for warning in plan.warnings)

    def test_the_plans_json_has_it(self) -> None:
        cost = planned(acknowledgeIdle={"h200": 5}).model_dump(mode="json")["cost"]
        usd = cost["idle_usd_per_hour"]
        assert cost["idle"] == [{"pool": "h200", "gpus": 16, "idle": 15, "acknowledged": 5, "usd_per_hour": usd}]
        assert cost["idle_share"] == 15 / 16


class TestReported:
    """In what is said of a change to whoever must say yes to it."""

    NOTHING = EventLog((), (), (), ())

    def view(self, **changes: Any) -> PlanView:
        return read_plan(planned(**changes).model_dump_json())

    def test_the_first_line_has_them_whatever_changes(self) -> None:
        review = build_review("h200", self.NOTHING, Planned(self.view()), Planned(self.view()))
        first = to_comment(review).splitlines()[0]
        assert first == "✅ **Nothing changes** · ⚠️ **15 of 16 GPUs idle, 95.39 USD per hour**"
        assert "⚠️ <strong>15 of 16 GPUs idle, 95.39 USD per hour</strong>" in to_html(review)

    def test_the_cost_has_them_before_and_after(self) -> None:
        before = self.view(**{"nodePools.0.nodes": 1})
        comment = to_comment(build_review("h200", self.NOTHING, Planned(before), Planned(self.view())))
        assert "| per hour, of idle GPUs | 44.52 USD | 95.39 USD |" in comment

    def test_where_none_is_idle_nothing_is_said(self) -> None:
        plan = plan_platform(read_stack_file(CHECKOUT, "h200"), "h200")
        full = read_plan(plan.model_dump_json())
        assert "idle" not in to_comment(build_review("h200", self.NOTHING, Planned(None), Planned(full)))

    def test_a_plan_of_code_that_did_not_count_them_has_an_unknown_number(self) -> None:
        older = planned().model_dump(mode="json")
        for key in ("idle", "idle_usd_per_hour", "idle_share"):
            del older["cost"][key]
        before = PlanView.model_validate(older)
        comment = to_comment(build_review("h200", self.NOTHING, Planned(before), Planned(self.view())))
        assert "| per hour, of idle GPUs | unknown | 95.39 USD |" in comment


class TestRefused:
    def test_a_protected_stack_has_none(self) -> None:
        text = refused(protection=True)
        assert "nodePools[0].nodes: 15 of 16 GPUs of pool h200 are idle, at 95.39 USD an hour, and the stack is" in text
        assert "Put models on them, write fewer nodes, or accept them: acknowledgeIdle: {h200: 15}" in text

    def test_but_those_that_it_acknowledges(self) -> None:
        assert idle(planned(protection=True, acknowledgeIdle={"h200": 15})) == [(15, 16)]
        text = refused(protection=True, acknowledgeIdle={"h200": 14})
        assert "1 of 16 GPUs of pool h200 are idle, at 6.36 USD an hour" in text

    def test_or_that_keep_to_its_bound(self) -> None:
        bound = {"maxIdleUsdPerHour": 96}
        assert planned(protection=True, spend=bound).warnings[0].text.startswith("15 of 16 GPUs")

    def test_above_the_bound_of_any_stack_they_are(self) -> None:
        text = refused(spend={"maxIdleUsdPerHour": 95})
        assert "spend.maxIdleUsdPerHour: idle GPUs (h200 15 of 16 GPUs) cost 95.39 USD an hour, and the bound" in text
        assert idle(planned(spend={"maxIdleUsdPerHour": 95}, acknowledgeIdle={"h200": 1})) == [(15, 16)]
        assert "the bound is 0.00" in refused(spend={"maxIdleUsdPerHour": 0})

    def test_a_price_that_nobody_publishes_is_no_zero(self) -> None:
        values = changed(stack_values("gb200"), {"models": []})

        def gb200(**spend: Any) -> PlatformPlan:
            bounded = changed(values, {"spend": spend})
            return plan_platform(validate("gb200", bounded, frozenset(), to_deploy=False), "gb200")

        with pytest.raises(ValueError, match="no price is known of the idle GPUs of gb200"):
            gb200(maxIdleUsdPerHour=1000)
        plan = gb200(maxIdleUsdPerHour=1000, allowUnknownPrice=True)
        assert plan.cost.idle_usd_per_hour is None
        assert "8 of 8 GPUs are idle (100 %): unknown per hour" in to_text(sections(plan, "gb200"))


@pytest.mark.parametrize(
    ("acknowledged", "said"),
    [
        ({"h100": 1}, "acknowledgeIdle.h100: names no node pool that this stack makes; it has h200"),
        ({"h200": 16}, "acknowledgeIdle.h200: accepts 16 idle GPUs, and 15 are; write that, or leave it out"),
    ],
)
def test_an_acknowledgement_of_nothing_is_warned_of(acknowledged: dict[str, int], said: str) -> None:
    warnings = [f"{warning.path}: {warning.text}" for warning in planned(acknowledgeIdle=acknowledged).warnings]
    assert f"inference-platform:{said}" in warnings


@pytest.mark.parametrize("wrong", [{"h200": 0}, {"h200": -1}, {"h200": "all"}, {"H200!": 1}, ["h200"], True])
def test_a_wrong_acknowledgement_is_one_error(wrong: Any) -> None:
    assert refused(acknowledgeIdle=wrong).count("inference-platform:") == 1


def test_a_bound_on_nothing_is_refused() -> None:
    assert "write maxUsdPerHour or maxIdleUsdPerHour" in refused(spend={"allowUnknownPrice": True})


def test_several_pools_are_counted_one_by_one() -> None:
    second = {**stack_values("h200")["nodePools"][0], "name": "other", "nodes": 1}
    small = {**ONE_GPU[0], "nodePool": "h200"}
    plan = planned(**{"nodePools.1": second, "models": [small]})
    assert idle(plan) == [(15, 16), (8, 8)]
    assert [warning.path for warning in plan.warnings[:2]] == [
        "inference-platform:nodePools[0].nodes",
        "inference-platform:nodePools[1].nodes",
    ]
    assert plan.cost.idle[1].usd_per_hour == pytest.approx(101.75 / 2, abs=0.01)
