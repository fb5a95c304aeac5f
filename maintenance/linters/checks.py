"""Runs the linters over rendered manifests and reads their verdicts into one form."""

import json
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from catalog import GKE_CHANNELS
from maintenance.linters.tools import Linters
from sandbox.tools import ToolsError


@dataclass(frozen=True)
class Finding:
    """One check that an object does not pass."""

    tool: str
    check: str
    kind: str
    name: str
    text: str


_CRITICAL = 1
"""kube-score's grade for a critical finding; 5 is a warning, 10 is fine."""


def checkov(tools: Linters, folder: Path) -> Iterator[Finding]:
    # Without --quiet, which would leave out the passed checks, and then nothing would show that any ran.
    command = [tools.checkov, "-d", folder, "--framework", "kubernetes", "--skip-download", "--compact", "-o", "json"]
    report = json.loads(_run(command))
    results = report["results"]
    if not results["passed_checks"] or results["parsing_errors"]:
        raise ToolsError(f"checkov could not read {folder}: {results['parsing_errors']}")
    for failed in results["failed_checks"]:
        kind, _, name = failed["resource"].split(".", 2)
        yield Finding("checkov", failed["check_id"], kind, name, failed["check_name"])


def kube_score(tools: Linters, files: Sequence[Path]) -> Iterator[Finding]:
    command = [tools.kube_score, "score", "-o", "json", "--kubernetes-version", f"v{GKE_CHANNELS['stable'].newest}"]
    command += ["--disable-ignore-checks-annotations", "--disable-optional-checks-annotations", *files]
    for scored in json.loads(_run(command)):
        for check in scored["checks"]:
            if check["grade"] == _CRITICAL and not check["skipped"]:
                comments: list[dict[str, str]] = check["comments"] or []
                texts = [comment["summary"] for comment in comments]
                yield Finding(
                    "kube-score",
                    check["check"]["id"],
                    scored["type_meta"]["kind"],
                    scored["object_meta"]["name"],
                    "; ".join(texts) or check["check"]["name"],
                )


def kubeconform(tools: Linters, schemas: Path, folder: Path) -> Iterator[Finding]:
    location = f"{schemas}/{{{{.ResourceKind}}}}{{{{.KindSuffix}}}}.json"
    command = [tools.kubeconform, "-strict", "-output", "json", "-verbose", "-schema-location", location, folder]
    resources: list[dict[str, Any]] = json.loads(_run(command)).get("resources") or []
    if not any(resource["status"] == "statusValid" for resource in resources):
        raise ToolsError(f"kubeconform found nothing valid in {folder}")
    for resource in resources:
        if resource["status"] not in ("statusValid", "statusSkipped"):
            yield Finding("kubeconform", resource["status"], resource["kind"], resource["name"], resource["msg"])


def _run(command: Sequence[str | Path]) -> str:
    """Runs a linter and returns its output; its exit status says nothing more."""
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if not result.stdout.strip():
        raise ToolsError(f"{Path(command[0]).name} said nothing: {result.stderr.strip()[-300:]}")
    return result.stdout
