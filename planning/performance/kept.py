"""Keeps the library's answers on disk, so that the next plan of the same shapes need not load it.

One file holds what was said of one model on one system by one release of the library and of its tables. A file that
cannot be read is made again; a folder that cannot be written keeps nothing.
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from catalog import PINS
from catalog.model import Model
from catalog.performance import System, performance
from planning.performance.counterpart import speed_facts
from planning.performance.steps import Deployment, Step, Steps, Unknown

_Answers = dict[str, float | str]
"""Milliseconds by step, or why there are none."""
_FILE = TypeAdapter(dict[str, _Answers])
_WHOLE = "deployment"
"""The key of a reason that holds for every step."""


def kept_folder() -> Path:
    """The folder of this release's answers, in the same cache as the tools'."""
    configured = os.environ.get("XDG_CACHE_HOME", "")
    # A relative XDG_CACHE_HOME is invalid by its specification and to be ignored.
    cache = Path(configured) if configured.startswith("/") else Path.home() / ".cache"
    return cache / "inference-platform" / "performance" / f"{performance().library}-{PINS.aiconfigurator_core}"


class KeptSteps:
    """The answers for one deployment: from the file, or from the library and then in the file."""

    def __init__(self, answers: _Answers, load: Callable[[], Steps], changed: Callable[[], None]) -> None:
        self._answers, self._load, self._changed = answers, load, changed
        self._steps: Steps | None = None

    def milliseconds(self, step: Step) -> float:
        """Raises Unknown, and LibraryMissing where the answer is not kept."""
        answer = self._answers.get(_WHOLE) or self._answers.get(step.key)
        if answer is None:
            answer = self._ask(step)
        if isinstance(answer, str):
            raise Unknown(answer)
        return answer

    def _ask(self, step: Step) -> float | str:
        key = _WHOLE
        try:
            self._steps = self._steps or self._load()
            key = step.key
            answer: float | str = self._steps.milliseconds(step)
        except Unknown as unknown:
            answer = str(unknown)
        self._answers[key] = answer
        self._changed()
        return answer


class KeptAnswers:
    """What is kept of one model on one system. `save` writes what is new."""

    def __init__(self, model: Model, system: System, load: Callable[[Deployment], Steps]) -> None:
        digest = hashlib.sha256(speed_facts(model).encode()).hexdigest()[:16]
        name = f"{model.id.replace('/', '--')}-{digest}.json"
        self._file = kept_folder() / f"{system.name}-{system.tables}" / name
        self._load = load
        self._answers = _read(self._file)
        self._new = False

    def of(self, deployment: Deployment) -> KeptSteps:
        answers = self._answers.setdefault(deployment.key, {})
        return KeptSteps(answers, lambda: self._load(deployment), self._note)

    def save(self) -> None:
        if not self._new:
            return
        self._new = False
        with suppress(OSError):
            _write(self._file, self._answers)

    def _note(self) -> None:
        self._new = True


def _read(file: Path) -> dict[str, _Answers]:
    try:
        return _FILE.validate_json(file.read_bytes())
    except (OSError, ValidationError):
        return {}


def _write(file: Path, answers: dict[str, Any]) -> None:
    """Whole or not at all: two plans at once leave the file of the later one."""
    file.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as target:
            json.dump(answers, target, sort_keys=True)
        Path(name).replace(file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
