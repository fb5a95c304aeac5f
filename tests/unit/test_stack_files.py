"""The first stack file of an accelerator, as `make record` writes it, is one that plans."""

from typing import Any

import pytest
import yaml

from catalog import ACCELERATORS
from config import NAMESPACE
from config.validate import validate
from maintenance import stack_files
from planning.platform import plan_platform


@pytest.mark.parametrize("name", ACCELERATORS)
def test_the_first_stack_file_of_an_accelerator_plans(name: str) -> None:
    written: dict[str, Any] = yaml.safe_load(stack_files.text(ACCELERATORS[name]))["config"]
    values = {key.split(":")[1]: value for key, value in written.items() if key.startswith(f"{NAMESPACE}:")}
    plan = plan_platform(validate("first", values, frozenset(), to_deploy=False), "first")
    (pool,) = plan.node_pools
    assert pool.machine_type == ACCELERATORS[name].default_machine_type
    assert [model.name for model in plan.models] == ["gemma-3-1b"]


def test_a_stack_file_that_is_there_is_never_changed(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setattr(stack_files, "CHECKOUT", tmp_path)
    (tmp_path / "Pulumi.h200.yaml").write_text("mine")
    stack_files.main()
    assert (tmp_path / "Pulumi.h200.yaml").read_text() == "mine"
    assert {file.name for file in tmp_path.iterdir()} == {f"Pulumi.{name}.yaml" for name in ACCELERATORS}
