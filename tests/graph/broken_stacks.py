"""Broken copies of the stack files, and what the plan says of them."""

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from config import ConfigurationError, read_stack_file
from planning.plan import PlatformPlan
from planning.platform import plan_platform
from tests.graph.recorder import CHECKOUT, handed_over
from tests.hostile import broken


@dataclass(frozen=True)
class Outcome:
    """What became of one broken file: a plan and its configuration, or a complaint."""

    which: str
    plan: PlatformPlan | None
    complaint: str
    config: dict[str, str]
    """As the Pulumi engine hands it over, with a project and a token set."""


def outcomes(folder: Path, stack: str, seeds: Iterable[int], key: str | None = None) -> Iterator[Outcome]:
    """What becomes of a broken file for each seed, written into `folder`.

    With `key` only the part under it in the configuration is broken. Raises whatever is not a refusal.
    """
    document = yaml.safe_load((CHECKOUT / f"Pulumi.{stack}.yaml").read_text())
    for seed in seeds:
        chance, which = random.Random(f"{stack} {seed}"), f"{stack}, seed {seed}"
        if key is None:
            changed = broken(document, chance)
        else:
            config = document["config"]
            changed = {**document, "config": {**config, key: broken(config[key], chance)}}
        text = yaml.safe_dump(changed, allow_unicode=True)
        (folder / f"Pulumi.{stack}.yaml").write_text(text, encoding="utf-8")
        try:
            plan = plan_platform(read_stack_file(folder, stack), stack)
        except ConfigurationError as error:
            yield Outcome(which, None, str(error), {})
        else:
            yield Outcome(which, plan, "", handed_over(yaml.safe_load(text)["config"]))
