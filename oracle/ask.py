"""Puts questions to vLLM's own code, one process for one kind of card, and keeps every answer on disk.

An answer is asked for once: a run that was interrupted goes on where it stopped, and runs may share the work.
"""

import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from oracle import environment
from oracle.card import card_of
from oracle.environment import EnvironmentUnavailable
from oracle.question import Config, Question
from sandbox.scratch import scratch_folder

Answer = dict[str, Any]
"""weights, block_bytes and groups; or a refusal, in vLLM's words; or a failure, where the oracle cannot say."""

INSIDE = Path(__file__).parent / "inside"


class Journal:
    """Answers by question, of one release, card and version of the oracle; a line each, appended as they come."""

    def __init__(self, capability: str, folder: Path | None = None) -> None:
        self._file = _place(folder) / f"{environment.VLLM_VERSION}-{capability}-{_version()}.jsonl"
        self._answers: dict[str, Answer] = {}
        if self._file.exists():
            for line in self._file.read_text(encoding="utf-8").splitlines():
                if line.endswith("}"):  # not one that was cut off
                    entry = json.loads(line)
                    if "failure" not in entry["answer"]:  # it may have been the machine's, and is asked again
                        self._answers[entry["key"]] = entry["answer"]

    def get(self, question: Question) -> Answer | None:
        return self._answers.get(question.key)

    def keep(self, question: Question, answer: Answer, seconds: float) -> None:
        self._answers[question.key] = answer
        entry = {"key": question.key, "of": question.config.id, "shape": question.shape, "answer": answer}
        with self._file.open("a", encoding="utf-8") as handle:
            handle.write(json.dumps({**entry, "seconds": round(seconds, 1)}) + "\n")


class Kinds:
    """Which layers of a model were found to be alike, on any card: it spares another card most of the building."""

    def __init__(self, folder: Path | None = None) -> None:
        self._file = _place(folder) / f"{environment.VLLM_VERSION}-kinds-{_version()}.jsonl"

    def of(self, config: Config) -> dict[str, list[int]] | None:
        """A number for each layer, read again each time: another run may have found them."""
        if not self._file.exists():
            return None
        lines = [line for line in self._file.read_text(encoding="utf-8").splitlines() if line.endswith("}")]
        return {entry["config"]: entry["kinds"] for entry in map(json.loads, lines)}.get(config.digest)

    def keep(self, config: Config, kinds: dict[str, list[int]]) -> None:
        with self._file.open("a", encoding="utf-8") as handle:
            handle.write(json.dumps({"config": config.digest, "kinds": kinds}) + "\n")


def _place(folder: Path | None) -> Path:
    place = folder or environment.folder().parent / "oracle"
    place.mkdir(parents=True, exist_ok=True)
    return place


def _version() -> str:
    """The version of the part that asks vLLM; another version may get other answers."""
    content = b"".join(file.read_bytes() for file in sorted(INSIDE.glob("*.py")))
    return hashlib.sha256(content).hexdigest()[:12]


def ask(questions: Sequence[Question], capability: str, kept: Path | None = None) -> Iterator[tuple[Question, Answer]]:
    """Yields every question with its answer, in order. `kept`: a folder of answers that are not asked for again. Raises
    EnvironmentUnavailable."""
    journal = Journal(capability, kept)
    missing = {question.key: question for question in questions if journal.get(question) is None}
    started, asked = time.monotonic(), 0
    answers = _asked(missing.values(), capability, Kinds(kept))
    for question in questions:
        answer = journal.get(question)
        if answer is None:
            answer, seconds = next(answers)
            journal.keep(question, answer, seconds)
            asked += 1
            left = (time.monotonic() - started) / asked * (len(missing) - asked)
            print(_progress(asked, len(missing), question, answer, left), file=sys.stderr, flush=True)
        yield question, answer


def _progress(number: int, total: int, question: Question, answer: Answer, left: float) -> str:
    if "weights" in answer:
        what = f"{max(answer['weights']) / 2**30:.2f} GiB"
    else:
        what = f"refused: {answer['refusal']}" if "refusal" in answer else f"no answer: {answer['failure']}"
    return f"{number}/{total} {question.config.id}, {question.shape}: {what[:200]} ({left / 60:.0f} min left)"


def _asked(questions: Iterable[Question], capability: str, kinds: Kinds) -> Iterator[tuple[Answer, float]]:
    """The answers, with the seconds that each took."""
    with _vllm(capability) as process:
        assert process.stdin is not None and process.stdout is not None
        _read(process)
        for question in questions:
            started = time.monotonic()
            process.stdin.write(question.line(kinds.of(question.config)) + "\n")
            process.stdin.flush()
            answer = _read(process)
            found = answer.pop("kinds", None)
            if found is not None:
                kinds.keep(question.config, found)
            yield answer, time.monotonic() - started


def _read(process: "subprocess.Popen[str]") -> Answer:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise EnvironmentUnavailable(f"vLLM's own code ended with {process.wait()}, see above")
    return cast(Answer, json.loads(line))


@contextmanager
def _vllm(capability: str) -> Generator["subprocess.Popen[str]"]:
    """A process in which vLLM is loaded as on a card of that capability."""
    interpreter = environment.make()
    with scratch_folder("oracle") as scratch:
        arguments = ["-m", "inside", card_of(capability).model_dump_json(), str(libcuda(scratch)), str(scratch)]
        errors = scratch / "errors"
        with (
            errors.open("w", encoding="utf-8") as log,
            subprocess.Popen(
                [str(interpreter), *arguments],
                cwd=INSIDE.parent,
                env={**environment.variables(), "TMPDIR": str(scratch)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            ) as process,
        ):
            try:
                yield process
            except EnvironmentUnavailable:
                print("\n".join(errors.read_text(encoding="utf-8").splitlines()[-20:]), file=sys.stderr)
                raise
            finally:
                process.kill()


def libcuda(folder: Path) -> Path:
    """A driver library of empty functions, which vLLM's extensions load but never call without a GPU."""
    names: set[str] = set()
    for extension in (environment.site_packages() / "vllm").rglob("*.so"):
        names |= {name for name in _undefined(extension) if name[:2] == "cu" and name[2:3].isupper()}
    source, library = folder / "libcuda.c", folder / "libcuda.so.1"
    source.write_text("".join(f"int {name}(void) {{ return 1; }}\n" for name in sorted(names)), encoding="utf-8")
    _tool("gcc", "-shared", "-fPIC", "-Wl,-soname,libcuda.so.1", "-o", str(library), str(source))
    return library


def _undefined(library: Path) -> list[str]:
    """Symbols that a library expects of another."""
    return [line.split()[-1] for line in _tool("nm", "-D", "--undefined-only", str(library)).splitlines() if line]


def _tool(*command: str) -> str:
    try:
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout
    except FileNotFoundError as error:
        raise EnvironmentUnavailable(f"{command[0]} is needed (apt-get install gcc binutils)") from error
    except subprocess.CalledProcessError as error:
        raise EnvironmentUnavailable(
            f"{' '.join(command[:2])} ended with {error.returncode}: {error.stderr}"
        ) from error
