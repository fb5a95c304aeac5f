"""The pipelines' scripts that write to GitHub, by the real gh, against a stand-in for GitHub's API on this machine."""

import json
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

import pytest

from review.markdown import MARKER

PIPELINES = Path(__file__).parents[2] / "pipelines"
BOT = "github-actions[bot]"
_PAGE = 2

needs_gh = pytest.mark.skipif(shutil.which("gh") is None, reason="no gh here (apt-get install gh)")


class GitHub:
    """Issues and comments of one repository, as its REST API gives and takes them."""

    def __init__(self) -> None:
        self.issues: dict[int, dict[str, Any]] = {}
        self.comments: dict[int, dict[str, Any]] = {}
        self.tags: dict[str, dict[str, Any]] = {}
        """What each name points to, and what GitHub found of its signature."""

    def comment(self, issue: int, body: str, user: str = BOT) -> None:
        number = len(self.comments) + 1
        self.comments[number] = {"id": number, "issue": issue, "body": body, "user": {"login": user}}

    def issue(self, title: str, body: str, user: str = BOT) -> None:
        number = len(self.issues) + 1
        self.issues[number] = {"number": number, "title": title, "body": body, "state": "open", "user": {"login": user}}

    def answer(self, method: str, path: str, body: dict[str, Any]) -> Any:
        match method, path.removeprefix("/repos/acme/platform/issues").strip("/").split("/"):
            case "GET", [""]:
                return [issue for issue in self.issues.values() if issue["state"] == "open"]
            case "POST", [""]:
                self.issue(body["title"], body["body"])
            case "PATCH", ["comments", number]:
                self.comments[int(number)] |= body
            case "GET", [number, "comments"]:
                return [comment for comment in self.comments.values() if comment["issue"] == int(number)]
            case "POST", [number, "comments"]:
                self.comment(int(number), body["body"])
            case "PATCH", [number]:
                self.issues[int(number)] |= body
            case "GET", ["repos", "acme", "platform", "git", "ref", "tags", name]:
                return {"object": {"type": self.tags[name]["type"], "sha": name}}
            case "GET", ["repos", "acme", "platform", "git", "tags", name]:
                return {"verification": self.tags[name]["verification"]}
            case _:
                raise AssertionError((method, path))
        return {}


class _Api(BaseHTTPRequestHandler):
    """A proxy that answers for GitHub itself: gh speaks plain HTTP to the host github.localhost alone."""

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        assert (url.netloc, self.headers["Authorization"]) == ("api.github.localhost", "token of-the-run")
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        given = cast(_Server, self.server).github.answer(self.command, url.path, json.loads(body or "{}"))
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        if isinstance(given, list):
            page = int(parse_qs(url.query).get("page", ["1"])[0])
            items = cast(list[Any], given)
            if page * _PAGE < len(items):
                self.send_header("Link", f'<http://{url.netloc}{url.path}?page={page + 1}>; rel="next"')
            given = items[(page - 1) * _PAGE : page * _PAGE]
        answer = json.dumps(given).encode()
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def do_POST(self) -> None:
        self.do_GET()

    def do_PATCH(self) -> None:
        self.do_GET()

    def log_message(self, format: str, *args: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Api)
        self.github = GitHub()

    def run(self, script: str, *arguments: str, folder: Path | None = None) -> str:
        run = self.try_to_run(script, *arguments, folder=folder)
        assert run.returncode == 0, run.stderr
        return run.stdout

    def try_to_run(self, script: str, *arguments: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
        environment = {
            **os.environ,
            "GH_HOST": "github.localhost",
            "GH_TOKEN": "of-the-run",
            "GH_CONFIG_DIR": "/nonexistent",
            "GITHUB_REPOSITORY": "acme/platform",
            "HTTP_PROXY": f"http://127.0.0.1:{self.server_port}",
        }
        command = [PIPELINES / script, *arguments]
        return subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=60
        )


@pytest.fixture
def server() -> Iterator[_Server]:
    made = _Server()
    thread = threading.Thread(target=made.serve_forever)
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


def _report(folder: Path, stack: str, text: str, kind: str = "sandbox") -> None:
    file = folder / f"{kind}-{stack}" / "report.md"
    file.parent.mkdir(exist_ok=True)
    file.write_text(f"{text}\n\n{MARKER.format(stack=stack)}\n", encoding="utf-8")


def _bodies(github: GitHub) -> list[str]:
    return [comment["body"].split("\n")[0] for comment in github.comments.values()]


@needs_gh
def test_a_report_is_commented_once_and_then_updated_in_place(server: _Server, tmp_path: Path) -> None:
    _report(tmp_path, "dev", "@first < `a`")
    server.run("comments.sh", "7", str(tmp_path), "dev")
    _report(tmp_path, "dev", "second")
    _report(tmp_path, "staging", "in the sandbox")
    _report(tmp_path, "staging", "at Google", kind="google")
    server.run("comments.sh", "7", str(tmp_path), "dev", "staging")
    assert _bodies(server.github) == ["second", "at Google"]


@needs_gh
def test_only_the_pipelines_own_comment_of_that_stack_is_written_over(server: _Server, tmp_path: Path) -> None:
    github = server.github
    others = [f"I quote it\n{MARKER.format(stack='dev')}", "hello", f"{MARKER.format(stack='dev')}\nquoted"]
    github.comment(7, others[0], user="somebody")
    github.comment(7, others[1])
    github.comment(7, others[2])
    # On the second page of GitHub's answer, and kept without the end of its last line.
    github.comment(7, f"before\n\n{MARKER.format(stack='dev')}")
    _report(tmp_path, "dev", "after")
    server.run("comments.sh", "7", str(tmp_path), "dev")
    assert [github.comments[number]["body"] for number in (1, 2, 3)] == others
    assert _bodies(github)[3:] == ["after"]


@needs_gh
def test_what_was_said_of_a_stack_that_is_no_longer_changed_is_taken_back(server: _Server, tmp_path: Path) -> None:
    for stack in ("dev", "staging", "h100-mega"):
        _report(tmp_path, stack, f"replaces {stack}")
    server.run("comments.sh", "7", str(tmp_path), "dev", "staging", "h100-mega")
    # The report of one that is still changed may be missing, where its job failed.
    shutil.rmtree(tmp_path / "sandbox-staging")
    server.run("comments.sh", "7", str(tmp_path), "staging")
    said = [
        "✅ This branch no longer changes `dev`.",
        "replaces staging",
        "✅ This branch no longer changes `h100-mega`.",
    ]
    assert _bodies(server.github) == said
    _report(tmp_path, "dev", "again")
    server.run("comments.sh", "7", str(tmp_path), "dev", "staging")
    assert _bodies(server.github) == ["again", *said[1:]]


def _looked(folder: Path, status: int, text: str) -> str:
    folder.mkdir(exist_ok=True)
    (folder / "status").write_text(f"{status}\n", encoding="utf-8")
    (folder / "drift.md").write_text(text, encoding="utf-8")
    return str(folder)


@needs_gh
def test_drift_opens_one_issue_updates_it_and_closes_it_when_it_is_gone(server: _Server, tmp_path: Path) -> None:
    github = server.github
    github.issue("Drift: dev", "somebody's own", user="somebody")
    server.run("drift-issue.sh", "dev", _looked(tmp_path, 3, "pool is 3, not 1"))
    assert (github.issues[2]["title"], github.issues[2]["body"]) == ("Drift: dev", "pool is 3, not 1")
    server.run("drift-issue.sh", "dev", _looked(tmp_path, 1, "the look failed"))
    assert len(github.issues) == 2
    assert (github.issues[2]["body"], github.issues[2]["state"]) == ("the look failed", "open")
    server.run("drift-issue.sh", "dev", _looked(tmp_path, 0, "all is well"))
    assert [issue["state"] for issue in github.issues.values()] == ["open", "closed"]
    assert [comment["body"] for comment in github.comments.values()] == ["The last look found no drift."]
    server.run("drift-issue.sh", "dev", _looked(tmp_path, 0, "all is well"))
    assert len(github.issues) == 2 and len(github.comments) == 1


@needs_gh
def test_a_stack_that_nobody_looked_at_keeps_its_issue(server: _Server, tmp_path: Path) -> None:
    server.github.issue("Drift: dev", "pool is 3, not 1")
    said = server.run("drift-issue.sh", "dev", str(tmp_path / "no-artifact"))
    assert "was not looked at" in said
    assert server.github.issues[1]["state"] == "open"


def _commit(folder: Path, *files: str) -> None:
    for file in files:
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{path.read_text() if path.exists() else ''}x\n", encoding="utf-8")
    who = ["-c", "user.name=test", "-c", "user.email=test@example.com"]
    for command in (["add", "-A"], [*who, "commit", "-qm", "one"]):
        subprocess.run(["git", *command], cwd=folder, check=True, capture_output=True)


@pytest.mark.parametrize(
    ("changed", "among", "found"),
    [
        (["Pulumi.dev.yaml"], [], ["dev"]),
        (["planning/cost.py"], [], ["dev", "h200"]),
        (["planning/cost.py"], ["dev", "staging"], ["dev", "staging"]),
        (["Pulumi.h200.yaml"], ["dev", "staging"], []),
        (["docs/reviews.md", "tests/unit/test_x.py", "pipelines/other.sh"], [], []),
    ],
)
def test_stacks_that_a_change_may_touch_are_named(
    tmp_path: Path, changed: list[str], among: list[str], found: list[str]
) -> None:
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    (tmp_path / "pipelines").mkdir()
    shutil.copy2(PIPELINES / "changed-stacks.sh", tmp_path / "pipelines")
    _commit(tmp_path, "Pulumi.yaml", "Pulumi.dev.yaml", "Pulumi.h200.yaml")
    _commit(tmp_path, *changed)
    command = [tmp_path / "pipelines" / "changed-stacks.sh", "HEAD^", *among]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert run.stdout.split() == found


def _tagged(server: _Server, folder: Path, changes: str, type_: str = "tag", reason: str = "valid") -> None:
    (folder / "pyproject.toml").write_text('[project]\nversion = "1.2.0"\n')
    (folder / "CHANGELOG.md").write_text(changes)
    server.github.tags["v1.2.0"] = {"type": type_, "verification": {"verified": reason == "valid", "reason": reason}}


CHANGES = "# Changes\n\n## 1.2.0\n\n- Faster.\n\n## 1.1.0\n\n- Older.\n"


@needs_gh
def test_a_signed_tag_is_released_with_the_notes_of_its_version(server: _Server, tmp_path: Path) -> None:
    _tagged(server, tmp_path, CHANGES)
    assert server.run("release.sh", "v1.2.0", folder=tmp_path).split() == ["-", "Faster."]


@needs_gh
@pytest.mark.parametrize(
    ("tag", "changes", "type_", "reason", "said"),
    [
        ("v1.3.0", CHANGES, "tag", "valid", "pyproject.toml says 1.2.0"),
        ("v1.2.0", CHANGES.replace("1.2.0", "1.2.0 (not released yet)"), "tag", "valid", "no section"),
        ("v1.2.0", CHANGES, "commit", "valid", "git tag --sign v1.2.0"),
        ("v1.2.0", CHANGES, "tag", "unsigned", "cannot verify who signed v1.2.0 (unsigned)"),
    ],
)
def test_what_is_no_release_is_refused(
    server: _Server, tmp_path: Path, tag: str, changes: str, type_: str, reason: str, said: str
) -> None:
    _tagged(server, tmp_path, changes, type_, reason)
    run = server.try_to_run("release.sh", tag, folder=tmp_path)
    assert (run.returncode, run.stdout) == (1, "") and said in run.stderr


def test_every_action_is_pinned_by_commit_and_says_its_version() -> None:
    files = [*(PIPELINES.parent / ".github").rglob("*.yml")]
    uses = [line.strip() for file in files for line in file.read_text().splitlines() if "uses:" in line]
    foreign = [line for line in uses if "uses: ./" not in line]
    assert len(foreign) > 10
    assert [line for line in foreign if not re.search(r"uses: [\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$", line)] == []
