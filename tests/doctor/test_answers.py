"""Whatever comes back, or does not, is a row: never a traceback, never a secret, never more than the time there is."""

import json
import threading
import time
from pathlib import Path
from socket import create_server

import pytest

from sandbox.google.login import ACCESS_TOKEN
from sandbox.google.registry import ANONYMOUS
from sandbox.project import CANARY_TOKEN
from tests.doctor.standing import PROJECT, Doctor, Run
from tests.doctor.test_scenarios import SCENARIOS, good
from verification.doctor import examination
from verification.doctor.__main__ import NO_PROJECT, main
from verification.doctor.hidden import Hidden
from verification.doctor.rows import Row
from verification.doctor.web import Unreachable, Web

SECRETS = (ACCESS_TOKEN, CANARY_TOKEN, ANONYMOUS, "PRIVATE KEY")
ECHO = json.dumps(
    {"error": {"code": 403, "message": f"Bearer {ACCESS_TOKEN} and {CANARY_TOKEN} may not", "status": "X"}}
)
BODIES = {
    "401": {"status": 401, "body": ECHO},
    "403": {"status": 403, "body": ECHO},
    "404": {"status": 404, "body": ECHO},
    "429": {"status": 429, "body": ECHO},
    "500": {"status": 500, "body": ECHO},
    "503 of a proxy": {"status": 503, "body": "<html><body>Service Unavailable</body></html>"},
    "a login page": {"status": 200, "body": f"<html>{ACCESS_TOKEN}</html>"},
    "a list": {"status": 200, "body": "[]"},
    "an empty object": {"status": 200, "body": "{}"},
    "other types": {"status": 200, "body": json.dumps(dict.fromkeys(("quotas", "channels", "services", "zones"), 7))},
    "nothing": {"status": 200, "body": ""},
    "a redirect": {"status": 302, "body": "", "headers": {"Location": f"https://elsewhere.example/?t={ACCESS_TOKEN}"}},
    "no text": {"status": 200, "body": "\x1b[2J\x00"},
}
PLACES = ("/compute/", "/container/", "/serviceusage/", "/cloudresourcemanager/", "/secretmanager/", "/cloudquotas/")
OTHERS = ("/hub/", "/registry/", "/token")


def assert_said_well(run: Run) -> None:
    assert "Traceback" not in run.said
    assert not [secret for secret in SECRETS if secret in run.said]
    assert "\x1b" not in run.said
    assert run.status in (0, 1)
    assert len(run.rows) > 15


CASES = [("/", body) for body in BODIES]
CASES += [(place, body) for place in PLACES for body in ("401", "a login page", "other types")]
CASES += [(place, body) for place in OTHERS for body in BODIES]


@pytest.mark.parametrize(("place", "body"), CASES)
def test_whatever_is_answered_is_a_row(doctor: Doctor, place: str, body: str) -> None:
    # Machines that are reserved need no limit that only Cloud Quotas has.
    stack = "h200" if place == "/cloudquotas/" else "production"
    run = doctor.examine(stack, situation=good(troubles=[{"path": place, **BODIES[body]}]))
    assert_said_well(run)
    assert run.failed() or run.unseen(), run.said


def test_no_scenario_prints_a_secret(doctor: Doctor) -> None:
    for scenario in SCENARIOS.values():
        run = doctor.examine(
            scenario.stack,
            situation=scenario.situation,
            state=scenario.state,
            changes=scenario.changes,
            reservations=scenario.reservations,
            variables=scenario.variables,
        )
        assert not [secret for secret in SECRETS if secret in run.said]


def test_a_row_has_no_secret_whoever_says_it() -> None:
    hidden = Hidden()
    hidden.add("s3cret-of-this-run")
    said = hidden.clean("no s3cret-of-this-run, no ya29.abc-DEF_1, no hf_AbCdEfGhIj, no eyJh.eyJi.c2ln, no \x1b[31mred")
    assert said == "no (hidden), no (hidden), no (hidden), no (hidden), no [31mred"
    assert "KEY" not in hidden.clean("-----BEGIN PRIVATE KEY-----\nabc\n-----END PRIVATE KEY-----")
    assert len(hidden.clean("long " * 1000)) < 500


def test_what_is_refused_to_the_caller_is_not_seen_and_does_not_fail(doctor: Doctor) -> None:
    denied = (
        "serviceusage.services.get",
        "compute.machineTypes.get",
        "compute.acceleratorTypes.get",
        "compute.networkProfiles.get",
        "compute.reservations.get",
        "compute.regions.get",
        "compute.projects.get",
        "container.clusters.list",
        "container.clusters.get",
        "cloudquotas.quotas.get",
        "secretmanager.secrets.get",
        "secretmanager.versions.get",
    )
    run = doctor.examine("production", "--reads-only", situation=good(denied=denied))
    assert run.failed() == {}, run.said
    assert run.status == 0
    assert {row for _, row in run.unseen()} == {
        Row.API,
        Row.PERMISSIONS,
        Row.GKE_VERSION,
        Row.MACHINE_TYPE,
        Row.ACCELERATOR,
        Row.NETWORK_PROFILE,
        Row.RESERVATION,
        Row.QUOTA,
        Row.SECRET,
        Row.SECRET_VERSION,
        Row.SECRET_READER,
    }
    assert "compute.machineTypes.get" in run.unseen()["h200", Row.MACHINE_TYPE]


def test_an_api_that_is_off_says_how_its_rows_are_seen_before_the_first_up(doctor: Doctor) -> None:
    run = doctor.examine(
        "production", situation=good(disabled=("compute.googleapis.com", "cloudquotas.googleapis.com"))
    )
    assert run.failed() == {}, run.said
    assert run.rows["compute.googleapis.com", Row.API] == ("passed", "off; the first up turns it on")
    assert "gcloud services enable compute.googleapis.com" in run.unseen()["h200", Row.MACHINE_TYPE]
    assert not [each for each in run.exchanges if each.path.startswith("/compute/")]


def test_without_a_token_public_models_are_seen_and_licences_are_not(doctor: Doctor) -> None:
    run = doctor.examine("dev", situation=good(), variables={"HF_TOKEN": None})
    assert run.failed() == {}, run.said
    assert {row for _, row in run.unseen()} == {Row.TOKEN, Row.LICENCE}


def test_the_whole_ends_in_time_when_nobody_answers(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examination, "SECONDS", 0.0)
    run = doctor.examine("production", situation=good())
    assert_said_well(run)
    # Nothing but the login, whose own time is bounded.
    assert {each.path for each in run.exchanges} == {"/token"}


def test_a_server_that_never_ends_its_answer_is_left() -> None:
    with create_server(("127.0.0.1", 0)) as listener:

        def drip() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
                while not ended.wait(0.01):
                    try:
                        connection.sendall(b" " * 100_000)
                    except OSError:
                        return

        ended = threading.Event()
        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        web = Web(0.05, Hidden())
        begun = time.monotonic()
        with pytest.raises(Unreachable, match="does not answer in time"):
            web.ask("GET", f"http://127.0.0.1:{listener.getsockname()[1]}/")
        ended.set()
        thread.join()
        assert time.monotonic() - begun < 60


def test_only_what_asks_can_be_sent() -> None:
    for http, path in (("POST", "/instances"), ("DELETE", "/x"), ("PUT", "/x:testIamPermissions")):
        with pytest.raises(ValueError, match="could change something"):
            Web(1, Hidden()).ask(http, f"http://127.0.0.1:9{path}")


def test_nothing_is_written_but_the_report_that_is_asked_for(doctor: Doctor, tmp_path: Path) -> None:
    before = {"Pulumi.dev.yaml", "elsewhere.json"}
    doctor.examine("dev", situation=good())
    assert {file.name for file in tmp_path.rglob("*")} == before
    run = doctor.examine("dev", "--report", "doctor.md", situation=good())
    assert {file.name for file in tmp_path.rglob("*")} == {*before, "doctor.md"}
    report = (tmp_path / "doctor.md").read_text(encoding="utf-8")
    assert f"project `{PROJECT}`" in report
    assert all(f"| {subject} | {row} |" in report for subject, row in run.rows)


def test_what_cannot_be_tried_is_said_in_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], doctor: Doctor
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["--stack", "nowhere"]) == 2
    assert "there is no such file" in capsys.readouterr().err
    doctor.write("dev", {})
    assert main(["--stack", "dev"]) == 2
    assert capsys.readouterr().err.strip() == NO_PROJECT
