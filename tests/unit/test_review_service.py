"""A report says in its first lines that a change moves a model's expected speed or price."""

from typing import Any

import pytest

from review.events import read_events
from review.plans import ExpectedView, ModelView, PlanView
from review.service import moved
from review.verdict import Gravity, statements

EXPECTED: dict[str, Any] = {
    "objective": {"time_to_first_token": 500, "time_per_output_token": 30, "requests_per_second": 40},
    "first_token_ms": 63.4,
    "per_token_ms": 20.12,
    "requests_per_second": 50.7,
    "usd_per_million_output_tokens": 0.575,
}


def _expected(**changes: Any) -> ExpectedView:
    return ExpectedView.model_validate({**EXPECTED, **changes})


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"per_token_ms": 24.2}, "20.12 → 24.2 ms a token (+20 %)"),
        ({"first_token_ms": 130.0}, "63.4 → 130 ms to the first token (+105 %)"),
        ({"usd_per_million_output_tokens": 0.46}, "0.57 → 0.46 USD per million output tokens (-20 %)"),
        ({"usd_per_million_output_tokens": None}, "0.57 → unknown USD per million output tokens"),
        ({"requests_per_second": 25.0}, "50.7 → 25 requests a second at most (-51 %)"),
        (
            {"objective": {**EXPECTED["objective"], "time_per_output_token": 60}},
            "`timePerOutputToken` 30 → 60",
        ),
    ],
)
def test_each_figure_that_moves_is_said_with_both_values(changes: dict[str, Any], said: str) -> None:
    text = moved(_expected(), _expected(**changes))
    assert said in text
    assert "estimates" in text


def test_an_objective_that_comes_or_goes_is_said() -> None:
    assert "63.4 ms to the first token" in moved(None, _expected())
    assert "no longer has a service objective" in moved(_expected(), None)


def test_nothing_is_said_of_what_stays_or_is_an_estimate_s_rounding() -> None:
    assert moved(None, None) == ""
    assert moved(_expected(), _expected()) == ""
    assert moved(_expected(), _expected(per_token_ms=20.2)) == ""


def _plan(expected: ExpectedView | None) -> PlanView:
    gib = {"total_gib": 1.0, "weights_gib": 1.0, "activation_gib": 0.0, "non_torch_gib": 0.0, "graphs_gib": 0.0}
    shape = {
        "vllm": "0.33.0",
        "tensor_parallel": 1,
        "pipeline_parallel": 1,
        "nodes": 1,
        "settings": {"max_model_len": 1},
        "memory": {**gib, "kv_cache_gib": 0.0, "kv_cache_tokens": 1},
    }
    model = ModelView.model_validate(
        {"name": "chat", "model": "a/b", "replicas": 1, "node_pool": "gpu", "shape": shape}
    ).model_copy(update={"expected": expected})
    cost = {"items": (), "usd_per_hour": 1.0, "usd_per_hour_at_most": 1.0, "usd_per_month": 1.0}
    view = {"region": "us-central1", "node_pools": (), "models": (), "pool_use": (), "cost": cost}
    return PlanView.model_validate(view).model_copy(update={"models": (model,)})


def test_the_report_begins_with_it() -> None:
    before, after = _plan(_expected()), _plan(_expected(per_token_ms=29.0))
    first = statements(read_events([]), before, after, ())[0]
    assert first.gravity is Gravity.SERVICE
    assert first.text.startswith("Model `chat` is expected to serve otherwise: 20.12 → 29 ms a token")
