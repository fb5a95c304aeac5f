"""The page about accelerators has every one of them, with its stack file and prices."""

from catalog import ACCELERATORS
from maintenance.accelerators_page import CHECKOUT, page


def test_every_accelerator_and_machine_is_on_it_with_its_stack_file() -> None:
    text = page()
    for name, accelerator in ACCELERATORS.items():
        assert f"## {name}\n" in text and f"`Pulumi.{name}.yaml`" in text
        assert (CHECKOUT / f"Pulumi.{name}.yaml").is_file()
        assert all(f"| `{machine.name}` |" in text for machine in accelerator.machine_types)


def test_every_price_has_a_date_and_none_is_zero() -> None:
    text = page()
    assert "list 88.49 (2026-08-03)" in text
    assert " 0.00 (" not in text
    assert "not published" in text
