"""Labels on everything: one place in the code and one key of the stack file, and no selector that notices."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from components.manifests.labels import ON_EVERYTHING, labelled
from config import read_stack_file
from tests.graph.conftest import STACKS
from tests.graph.recorder import CHECKOUT, Graph, Registration

SELECTORS = ("selector", "podSelector", "namespaceSelector", "labelSelector", "matchLabels", "nodeSelector")


def expected(stack: str) -> dict[str, str]:
    return {**ON_EVERYTHING, **read_stack_file(CHECKOUT, stack).labels}


def objects(graph: Graph) -> list[Registration]:
    return [each for each in graph.registrations if "kind" in each.inputs and each.type.startswith("kubernetes:")]


def pods(node: Any) -> Iterator[Mapping[str, Any]]:
    """Whatever has containers, wherever it stands, as what is around its spec."""
    if isinstance(node, dict):
        if "containers" in (node.get("spec") or {}):
            yield node
        for value in node.values():
            yield from pods(value)
    elif isinstance(node, list):
        for item in node:
            yield from pods(item)


def selectors(node: Any) -> Iterator[Any]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key in SELECTORS:
                yield value
            else:
                yield from selectors(value)
    elif isinstance(node, list):
        for item in node:
            yield from selectors(item)


def test_every_object_and_every_pod_has_the_labels_of_all_and_of_its_stack(
    stack: str, graph_of: Callable[[str, bool], Graph]
) -> None:
    wanted = expected(stack).items()
    made = objects(graph_of(stack, False))
    assert {each.inputs["kind"] for each in made} >= {"Namespace", "NetworkPolicy", "Service", "Job"}
    for each in made:
        for labelled_thing in (each.inputs, *pods(each.inputs)):
            assert wanted <= labelled_thing["metadata"]["labels"].items(), each.key


def test_no_selector_names_such_a_label(stack: str, graph_of: Callable[[str, bool], Graph]) -> None:
    made = objects(graph_of(stack, False))
    found = [str(each) for one in made for each in selectors(one.inputs)]
    assert found
    assert not any(f"'{label}'" in each for label in expected(stack) for each in found)


def test_a_stack_with_labels_of_its_own_is_among_those() -> None:
    assert [stack for stack in STACKS if expected(stack) != ON_EVERYTHING]


@pytest.mark.parametrize("kind", ["Deployment", "DaemonSet", "StatefulSet", "Job", "CronJob"])
def test_what_a_chart_makes_has_them_too(kind: str) -> None:
    """Pulumi asks for each object of a chart, wherever that is made; tests/sandbox sees it in a real cluster."""
    selector = {"matchLabels": {"app": "x"}}
    spec: dict[str, Any] = {
        "selector": selector,
        "template": {"metadata": {"labels": {"app": "x"}}, "spec": {"containers": []}},
    }
    spec = {"jobTemplate": {"spec": spec}} if kind == "CronJob" else spec
    manifest = {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": "x"}, "spec": spec}
    made = labelled(manifest, {"team": "search"})
    assert len(list(pods(made))) == 1
    for thing in (made, *pods(made)):
        assert {**ON_EVERYTHING, "team": "search"}.items() <= thing["metadata"]["labels"].items()
    assert list(selectors(made)) == [selector]
    assert "labels" not in manifest["metadata"], "the manifest that was given stays as it was"


def test_a_label_that_an_object_has_already_stays() -> None:
    own = {"metadata": {"labels": {"app.kubernetes.io/part-of": "another"}}}
    assert labelled(own, {})["metadata"]["labels"]["app.kubernetes.io/part-of"] == "another"


def test_the_engine_asks_back_for_what_charts_make_and_for_nothing_else(
    stack: str, graph_of: Callable[[str, bool], Graph]
) -> None:
    """Each object below such a component is one more call with all that it says, there and back."""
    graph = graph_of(stack, True)
    charts = {key for each in graph.registrations if each.remote for key in (each.key, each.parent)}
    assert {each.parent for each in graph.registrations if each.remote} <= set(graph.asks_back) <= charts
