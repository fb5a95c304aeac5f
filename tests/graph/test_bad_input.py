"""Whatever is in a stack file, it is planned and registered, or refused in words that say where and why.

`BAD_INPUT` in the environment is the number of broken files of each stack; the nightly run takes more of them.
"""

import os
import re
from pathlib import Path

import pytest

from config import ConfigurationError, read_stack_file, stack_names
from planning.platform import plan_platform
from tests.graph.broken_stacks import outcomes
from tests.graph.recorder import record

CHECKOUT = Path(__file__).parents[2]
STACKS = stack_names(CHECKOUT)
FILES = range(int(os.environ.get("BAD_INPUT", "12")))
REGISTERED = 2
"""How many of the broken files of a stack that can be planned are registered too."""
LONGEST = 600
"""Characters of one complaint; a value is quoted in it, and cut if it is long."""


@pytest.mark.parametrize("stack", STACKS)
def test_a_broken_stack_file_is_planned_or_refused_by_key_path(tmp_path: Path, stack: str) -> None:
    planned: list[dict[str, str]] = []
    for outcome in outcomes(tmp_path, stack, FILES):
        if outcome.plan is None:
            is_understood(outcome.complaint, outcome.which)
        else:
            planned.append(outcome.config)
    for config in planned[:REGISTERED]:
        assert record(stack, preview=True, config=config).registrations


def is_understood(complaint: str, which: str) -> None:
    first, *problems = complaint.splitlines()
    assert "Traceback" not in complaint and "pydantic" not in complaint.lower(), which
    assert problems or len(first) < LONGEST, which
    for problem in problems:
        assert len(problem) < LONGEST, f"{which}: {problem}"
        assert re.match(r"\s*(- )?\S", problem), f"{which}: {problem}"


TEXTS = {
    "nothing": b"",
    "not a mapping": b"- a\n- b\n",
    "one word": b"dev",
    "a tab": b"config:\n\tinference-platform:region: us-central1\n",
    "not UTF-8": b"config:\n  inference-platform:region: \xff\xfe\n",
    "an unfinished quote": b"config:\n  inference-platform:region: 'us-central1\n",
    "an object of Python": b"config:\n  inference-platform:region: !!python/object/apply:os.getcwd []\n",
    "bytes": b"config:\n  inference-platform:region: !!binary dXMtY2VudHJhbDE=\n",
    "an alias of itself": b"config: &all\n  inference-platform:models: *all\n",
    "ten thousand brackets": b"config: " + b"[" * 10_000,
    "a billion laughs": b"a: &a [x,x,x,x,x,x,x,x,x]\n"
    + b"".join(b"%c: &%c [%s]\n" % (98 + n, 98 + n, b",".join([b"*%c" % (97 + n)] * 9)) for n in range(8))
    + b"config:\n  inference-platform:models: *i\n",
}


@pytest.mark.parametrize("content", TEXTS.values(), ids=TEXTS)
def test_a_file_that_is_no_stack_file_is_refused_in_a_few_lines(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "Pulumi.odd.yaml").write_bytes(content)
    with pytest.raises(ConfigurationError) as caught:
        plan_platform(read_stack_file(tmp_path, "odd"), "odd")
    assert len(str(caught.value)) < 2000
    is_understood(str(caught.value), "odd")


def test_a_key_that_stands_twice_is_refused_as_by_pulumi_itself(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.odd.yaml").write_text("config:\n  a:region: us-central1\n  a:region: us-east4\n")
    with pytest.raises(ConfigurationError, match=r"the key a:region stands twice in one mapping.* line 3"):
        read_stack_file(tmp_path, "odd")
