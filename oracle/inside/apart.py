"""Does a piece of work in a forked process, and judges how it ended: an answer, vLLM's refusal, or neither."""

import importlib
import os
import pickle
import select
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from inside.question import Refused, Unanswerable

_SECONDS = 1200
"""Seconds that one rank of one stage may take; the largest take some sixty of a core that they have for themselves."""
_THEIRS = (ValueError, AssertionError, NotImplementedError)
"""What vLLM raises to refuse; pydantic's errors are ValueErrors."""


def apart(work: Callable[[], Any]) -> Any:
    """What `work` returns in a forked process. Raises Refused or Unanswerable."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        with os.fdopen(writing, "wb") as pipe:
            pickle.dump(_outcome(work), pipe)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        if not select.select([pipe], [], [], _SECONDS)[0]:
            os.kill(child, signal.SIGKILL)
        content = pipe.read()
    _, status = os.waitpid(child, 0)
    if not content:
        raise Unanswerable(f"its process ended with {os.waitstatus_to_exitcode(status)}")
    learned, outcome = pickle.loads(content)
    for module in learned:  # so that the next question need not load them again
        load(module)
    if isinstance(outcome, Refused | Unanswerable):
        raise outcome
    return outcome


def load(module: str) -> None:
    """A module that this release or machine has not, is not needed either: what needs it says so when it is built."""
    try:
        importlib.import_module(module)
    except Exception as error:
        print(f"{module}: {type(error).__name__}: {error}", file=sys.stderr)


def _outcome(work: Callable[[], Any]) -> tuple[list[str], Any]:
    before = set(sys.modules)
    try:
        outcome = work()
    except (Refused, Unanswerable) as said:
        outcome = said
    except Exception as error:
        outcome = _judged(error)
    return sorted(name for name in set(sys.modules) - before if name.startswith("vllm.")), outcome


def _judged(error: Exception) -> Refused | Unanswerable:
    """A refusal is an error that vLLM's own code raises on purpose; anything else, this oracle does not understand."""
    frames = traceback.extract_tb(error.__traceback__)
    raised_by = next((frame for frame in reversed(frames) if "/pydantic/" not in frame.filename), None)
    # A bare assertion says what it wants in its own line.
    words = _words(error) or (raised_by.line if raised_by is not None else None)
    if words and isinstance(error, _THEIRS) and raised_by is not None and "/vllm/" in raised_by.filename:
        return Refused(words)
    where = [f"{Path(frame.filename).name}:{frame.lineno}" for frame in frames[-4:]]
    return Unanswerable(f"{type(error).__name__}: {words or error!r} at {', '.join(where)}")


def _words(error: Exception) -> str:
    """The first sentence or two, on one line, without pydantic's frame around them."""
    text = str(error)
    if "Value error, " in text:
        text = text.split("Value error, ", 1)[1].split(" [type=", 1)[0]
    text = " ".join(text.split())
    text = text.split(" Supported architectures:", 1)[0]
    return text if len(text) <= 300 else text[:297] + "..."
