"""The accelerator that nobody sells, with which a slow test shows that a new one needs no code, is a valid entry."""

import yaml

from catalog import Accelerator
from tests.unit.google_rules import CHECKOUT


def test_the_fictional_accelerator_is_what_the_catalogue_takes() -> None:
    file = CHECKOUT / "tests" / "sandbox" / "fictional" / "accelerator.yaml"
    assert Accelerator.model_validate(yaml.safe_load(file.read_text(encoding="utf-8"))).name == "z9"
