"""What a report makes of events and plans: secrets, sizes, failures, and plans of other ages."""

import json
from pathlib import Path
from typing import Any

import pytest

from policy import RULES
from review import COMMENT_LIMIT, EventLog, Planned, build_review, read_events, read_plan, to_comment, to_html
from review.__main__ import main as report_main
from review.base import NoBase, plan_of, worktree
from review.drift import main as drift_main
from review.events import Action
from review.rules import judged
from tests.review.reports import recorded, review_of

CANARY = "hf_CanaryCanaryCanary01"
URN = "urn:pulumi:dev::inference-platform::{type}::{name}"
STACK_URN = URN.format(type="pulumi:pulumi:Stack", name="dev")
NO_PLAN = Planned(None)


def _step(op: str, type_: str, name: str, **metadata: Any) -> str:
    urn = URN.format(type=type_, name=name)
    state = {"type": type_, "urn": urn, "custom": True, "parent": STACK_URN, "inputs": metadata.pop("inputs", {})}
    old = {**state, "inputs": metadata.pop("old", state["inputs"])}
    step = {"op": op, "urn": urn, "type": type_, "new": state, "old": old, **metadata}
    return json.dumps({"resourcePreEvent": {"metadata": step}})


def _update(type_: str, name: str, path: str, old: dict[str, Any], new: dict[str, Any]) -> str:
    diff = {path: {"diffKind": "update", "inputDiff": True}}
    return _step("update", type_, name, inputs=new, old=old, detailedDiff=diff)


def _reports(lines: list[str]) -> str:
    log = read_events(lines)
    review = build_review("dev", judged("dev", log), NO_PLAN, NO_PLAN)
    return to_comment(review) + to_html(review)


@pytest.mark.parametrize(
    ("type_", "path", "old", "new"),
    [
        (
            "kubernetes:core/v1:Secret",
            "stringData.token",
            {"stringData": {"token": "old"}},
            {"stringData": {"token": "plain-new"}},
        ),
        ("kubernetes:core/v1:ConfigMap", "data.a", {"data": {"a": "x"}}, {"data": {"a": f"plain-new {CANARY}"}}),
        (
            "kubernetes:core/v1:ConfigMap",
            "data.password",
            {"data": {"password": "x"}},
            {"data": {"password": "plain-new"}},
        ),
        (
            "a:b:C",
            "env[0].value",
            {"env": [{"name": "API_TOKEN", "value": "x"}]},
            {"env": [{"name": "API_TOKEN", "value": "plain-new"}]},
        ),
    ],
)
def test_no_secret_is_ever_shown(type_: str, path: str, old: dict[str, Any], new: dict[str, Any]) -> None:
    shown = _reports([_update(type_, "one", path, old, new)])
    assert path.split("[")[0] in shown
    assert CANARY not in shown
    assert (type_.endswith("ConfigMap") and path == "data.a") or "plain-new" not in shown


def test_a_secret_in_what_the_engine_says_is_masked() -> None:
    line = json.dumps({"diagnosticEvent": {"severity": "error", "message": f"<{{%reset%}}>bad token {CANARY}"}})
    shown = _reports([line])
    assert "The preview failed" in shown
    assert "reset" not in shown
    assert CANARY not in shown


def test_an_error_of_the_engine_is_said_before_all_else() -> None:
    error = json.dumps({"diagnosticEvent": {"severity": "error", "message": "no credentials"}})
    create = _step("create", "a:b:C", "one")
    assert to_comment(build_review("dev", read_events([create, error]), NO_PLAN, NO_PLAN)).startswith(
        "⛔ **The preview failed**: no credentials"
    )


def test_what_the_program_died_of_is_said_once_and_with_its_reason() -> None:
    told = ["Pulumi.dev.yaml cannot be used:\n  nodes: write a number", "an unhandled error occurred: "]
    told[1] += told[0]
    lines = [json.dumps({"diagnosticEvent": {"severity": "error", "message": message}}) for message in told]
    comment = to_comment(build_review("dev", read_events(lines), NO_PLAN, NO_PLAN))
    assert comment.startswith("⛔ **The preview failed**: Pulumi.dev.yaml cannot be used: nodes: write a number\n")
    assert "unhandled" not in comment
    assert comment.count("nodes: write a number") == 2


def test_a_broken_rule_is_said_before_what_changes() -> None:
    service = {"apiVersion": "v1", "kind": "Service", "spec": {"type": "LoadBalancer"}}
    log = read_events([_step("create", "kubernetes:core/v1:Service", "open", inputs=service)])
    comment = to_comment(build_review("dev", judged("dev", log), NO_PLAN, NO_PLAN))
    assert comment.startswith("⛔ **1 rule broken**: `network-no-public-address`")
    assert "`open`" in comment


def test_what_the_pack_reported_counts_once() -> None:
    urn = URN.format(type="kubernetes:core/v1:Service", name="open")
    event = {"policyName": RULES[0].id, "enforcementLevel": "mandatory", "resourceUrn": urn, "message": "is open"}
    service = {"spec": {"type": "LoadBalancer"}}
    lines = [
        _step("create", "kubernetes:core/v1:Service", "open", inputs=service),
        json.dumps({"policyEvent": event}),
    ]
    log = read_events(lines)
    review = build_review("dev", judged("dev", log), NO_PLAN, NO_PLAN)
    assert len(review.violations) == 1


@pytest.mark.parametrize("limit", [2_000, 5_000, COMMENT_LIMIT])
def test_a_comment_is_never_too_long_and_says_what_it_leaves_out(limit: int) -> None:
    lines = [_step("create", "kubernetes:core/v1:ConfigMap", f"map-{index}") for index in range(5_000)]
    comment = to_comment(build_review("dev", read_events(lines), NO_PLAN, NO_PLAN), limit)
    assert len(comment) <= limit
    assert "Left out here" in comment
    assert comment.count("<details>") == comment.count("</details>")
    assert comment.count("```") % 2 == 0
    assert comment.rstrip().endswith("-->")


def test_text_of_a_resource_starts_no_html_and_calls_nobody() -> None:
    evil = _update("a:b:C", "one", "x", {"x": "a"}, {"x": "<img src=y> @everybody | `"})
    comment = to_comment(build_review("dev", read_events([evil]), NO_PLAN, NO_PLAN))
    assert "<img" not in comment
    assert "@everybody" not in comment
    row = next(line for line in comment.splitlines() if line.startswith("| change"))
    assert row.replace("\\|", "").count("|") == 4


def test_steps_of_one_replacement_are_one_change() -> None:
    log = read_events([_step(op, "a:b:C", "one") for op in ("delete-replaced", "replace", "create-replacement")])
    assert [change.action for change in log.changed] == [Action.REPLACE]


def test_a_job_that_is_made_anew_runs_again_and_replaces_nothing() -> None:
    steps = [_step("replace", "kubernetes:batch/v1:Job", "smoke"), _step("update", "a:b:C", "one")]
    comment = to_comment(build_review("dev", read_events(steps), NO_PLAN, NO_PLAN))
    assert comment.startswith("🔹 Changes in place 1 resource: `one`\n\n- Runs 1 job again: `smoke`")
    assert "1 to change, 1 to run again" in comment
    assert "| run again | Job `smoke` |" in comment


def test_what_a_person_decided_stands_before_what_follows_from_it() -> None:
    paths = [*(f"a[{index}].network" for index in range(10)), "config.machineType"]
    diff = {path: {"diffKind": "update-replace", "inputDiff": True} for path in paths}
    pool = "gcp:container/nodePool:NodePool"
    comment = to_comment(
        build_review("dev", read_events([_step("replace", pool, "p", detailedDiff=diff)]), NO_PLAN, NO_PLAN)
    )
    assert comment.startswith("⚠️ **Replaces node pool `p`** because of `config.machineType`, `a`")
    assert "| **replace** | **NodePool `p`** | **`config.machineType`**<br>" in comment


@pytest.mark.parametrize(("keep", "flag"), [(True, "--add-"), (False, "--remove-")])
def test_a_version_that_no_update_can_free_or_freeze_is_said_with_the_command_that_can(keep: bool, flag: str) -> None:
    plan = json.loads(recorded("base.plan.json.gz"))
    before, after = (read_plan(json.dumps({**plan, "gpu_nodes_keep_version": kept})) for kept in (not keep, keep))
    first = to_comment(build_review("review", read_events([]), Planned(before), Planned(after))).splitlines()[0]
    assert "**Leaves `large`, `small` as they are**" in first
    command = f"gcloud container node-pools update large --cluster review-cluster --location us-central1 {flag}"
    assert f"{command}maintenance-exclusion-until-end-of-support" in first
    assert "Leaves" not in to_comment(build_review("review", read_events([]), Planned(before), Planned(before)))


def test_a_warning_that_only_moved_is_not_new() -> None:
    review = review_of("model-removed")
    assert review.before and review.after
    assert {warning.path for warning in review.after.warnings} != {warning.path for warning in review.before.warnings}
    moved = {warning.text for warning in review.after.warnings} & {warning.text for warning in review.before.warnings}
    assert moved and not any(text in to_comment(review) for text in moved)


def test_a_plan_of_older_or_newer_code_is_still_read() -> None:
    plan = json.loads(recorded("base.plan.json.gz"))
    plan["something_new"] = {"a": 1}
    for gone in ("fabric", "effects", "warnings"):
        plan.pop(gone)
    assert len(read_plan(json.dumps(plan)).models) == 2


def test_without_a_plan_of_the_base_the_report_says_so() -> None:
    whole = review_of("new-model")
    review = build_review("review", whole.log, Planned(None, "it has no stack review"), Planned(whole.after), "`main`")
    assert "it has no stack review" in to_comment(review)
    assert "it has no stack review" in to_html(review)


def test_a_base_that_is_no_commit_is_named(tmp_path: Path) -> None:
    with pytest.raises(NoBase, match="no-such-ref"), worktree(tmp_path, "no-such-ref"):
        pass


def test_code_that_cannot_plan_is_a_reason_and_no_crash(tmp_path: Path) -> None:
    assert plan_of(tmp_path, "dev") == Planned(None, "it has no stack dev")
    (tmp_path / "Pulumi.dev.yaml").write_text("config: {}")
    planned = plan_of(tmp_path, "dev")
    assert planned.plan is None
    assert "it cannot be planned" in planned.problem


@pytest.mark.parametrize("line", ["[]", "a word"])
def test_an_event_log_that_is_none_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="line 2 is not an event"):
        read_events(["", line])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--stack", "nope"], "there is no Pulumi.nope.yaml; write STACK= one of a100-40gb"),
        (["--stack", "dev", "--base", "no-such"], "no-such names no commit here; fetch it first, or write BASE= one"),
        (["--stack", "dev", "--events", "gone.jsonl"], "gone.jsonl is no event log: No such file or directory"),
        (["--stack", "dev", "--events", "Pulumi.yaml"], "Pulumi.yaml is no event log: line 1 is not an event"),
    ],
)
def test_a_mistake_of_whoever_asks_for_a_report_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert report_main([*arguments, "--out", str(tmp_path / "out")]) == 1
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 1 and errors[0].startswith(f"error: {said}"), errors
    assert not (tmp_path / "out" / "report.md").exists()


def test_drift_is_named_with_what_is_there_and_ends_with_its_own_status(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    events = tmp_path / "events.jsonl"
    events.write_text("\n".join([_update("a:b:C", "one", "x", {"x": 2}, {"x": 1}), _step("create", "a:b:D", "two")]))
    assert drift_main(["--stack", "dev", "--events", str(events)]) == 3
    said = capsys.readouterr().out
    assert "C `one` was changed: `x` is 2, not 1" in said
    assert "D `two` is gone" in said
    events.write_text(_step("same", "a:b:C", "one"))
    assert drift_main(["--stack", "dev", "--events", str(events)]) == 0


def test_a_look_that_failed_is_no_drift_and_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    events = tmp_path / "events.jsonl"
    assert drift_main(["--stack", "dev", "--events", str(events)]) == 1
    assert capsys.readouterr().out.startswith("**The look at `dev` failed**")
    events.write_text(json.dumps({"diagnosticEvent": {"severity": "error", "message": f"denied, {CANARY}"}}))
    assert drift_main(["--stack", "dev", "--events", str(events)]) == 1
    assert capsys.readouterr().out == "**The look at `dev` failed**: denied, [secret]\n"


def test_much_drift_still_fits_into_an_issue(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    events = tmp_path / "events.jsonl"
    events.write_text("\n".join(_update("a:b:C", f"one-{n}", "x", {"x": 2}, {"x": 1}) for n in range(2_000)))
    assert drift_main(["--stack", "dev", "--events", str(events)]) == 3
    said = capsys.readouterr().out
    assert len(said) < COMMENT_LIMIT
    assert "**2000 resource(s)" in said and "- and 1800 more" in said


def test_an_empty_log_changes_nothing() -> None:
    assert to_comment(build_review("dev", EventLog((), (), (), ()), NO_PLAN, NO_PLAN)).startswith(
        "✅ **Nothing changes**"
    )
