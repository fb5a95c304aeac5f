"""These tests ask vLLM itself, which is large: `make test-vllm` runs them, `make test` skips them."""

import pytest


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "vllm: needs vLLM's own environment; run by `make test-vllm`")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if "vllm" in config.option.markexpr:
        return
    skip = pytest.mark.skip(reason="asks vLLM's own parser (9 GB, in an environment of its own): run `make test-vllm`")
    for item in items:
        if item.get_closest_marker("vllm"):
            item.add_marker(skip)
