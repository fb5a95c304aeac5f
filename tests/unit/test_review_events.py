"""What the sandbox writes down of a Pulumi engine's run, and what its cloud's refresh notices."""

import json
from pathlib import Path
from typing import Any

import pytest
from pulumi.automation import EngineEvent

from review import read_events
from review.events import Action
from sandbox.cloud.noticed import noticed
from sandbox.events import event_log

STEP = {
    "op": "update",
    "urn": "urn:pulumi:dev::p::a:b:C::one",
    "type": "a:b:C",
    "provider": "",
    "old": {
        "type": "a:b:C",
        "urn": "u",
        "id": "i",
        "parent": "",
        "provider": "",
        "custom": True,
        "inputs": {"snake_case": 1},
    },
    "new": {
        "type": "a:b:C",
        "urn": "u",
        "id": "i",
        "parent": "",
        "provider": "",
        "custom": True,
        "inputs": {"snake_case": 2},
    },
    "detailedDiff": {"snake_case": {"diffKind": "update-replace", "inputDiff": True}},
}


def test_events_are_written_as_the_engine_would_and_read_again(tmp_path: Path) -> None:
    event = EngineEvent.from_json({"sequence": 1, "timestamp": 2, "resourcePreEvent": {"metadata": STEP}})
    file = tmp_path / "deep" / "events.jsonl"
    with event_log(file) as on_event:
        on_event(event)
    line = json.loads(file.read_text())
    assert line["resourcePreEvent"]["metadata"]["detailedDiff"] == STEP["detailedDiff"]
    (change,) = read_events(file.read_text().splitlines()).changed
    assert change.action is Action.UPDATE
    assert [(one.path, one.before, one.after, one.replaces) for one in change.properties] == [
        ("snake_case", "1", "2", True)
    ]


def test_unwanted_events_are_left_out(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    with event_log(file, lambda _: False) as on_event:
        on_event(EngineEvent.from_json({"sequence": 1, "timestamp": 2}))
    assert file.read_text() == ""


@pytest.mark.parametrize(
    ("now", "found"),
    [
        pytest.param({}, {}, id="nothing"),
        pytest.param({"version": "2", "nodeConfig": {"imageType": "UBUNTU"}}, {}, id="what Google chose"),
        pytest.param({"nodeCount": 3}, {"nodeCount": 3}, id="a value"),
        pytest.param({"nodeConfig": {"spot": False}}, {"nodeConfig": {"spot": False}}, id="one inside another"),
        pytest.param({"labels": None}, {"labels": None}, id="one that is gone"),
        pytest.param({"disks": [{"size": 2, "id": "x"}]}, {"disks": [{"size": 2}]}, id="one in a list"),
        pytest.param({"zones": ["a", "b"]}, {"zones": ["a", "b"]}, id="a longer list"),
    ],
)
def test_a_refresh_notices_what_the_program_said_and_somebody_changed(
    now: dict[str, Any], found: dict[str, Any]
) -> None:
    said = {
        "nodeCount": 1,
        "nodeConfig": {"spot": True},
        "labels": {"a": "b"},
        "disks": [{"size": 1}],
        "zones": ["a"],
    }
    before = {
        **said,
        "nodeConfig": {"spot": True, "imageType": "COS"},
        "disks": [{"size": 1, "id": "x"}],
        "version": "1",
    }
    today = {**before, **now}
    if "nodeConfig" in now:
        today["nodeConfig"] = {"spot": True, "imageType": "COS"} | now["nodeConfig"]
    expected = {key: value for key, value in {**said, **found}.items() if value is not None}
    assert noticed(said, before, today) == expected
