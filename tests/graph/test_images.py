"""A repository in front of Docker Hub is there before what pulls from it, and only where the stack makes one."""

import json
from typing import Any

import pytest

from tests.graph.recorder import PROJECT_ID, Graph, record, stack_config

REPOSITORY = "gcp:artifactregistry/repository:Repository image-mirror-repository"


def mirrored(stack: str, mirror: dict[str, str], preview: bool) -> Graph:
    return with_images(stack, {"mirror": mirror}, preview=preview)


def with_images(stack: str, wanted: dict[str, Any], *, preview: bool = False) -> Graph:
    config = stack_config(stack) | {"inference-platform:images": json.dumps(wanted)}
    return record(stack, preview=preview, config=config)


def images(node: Any) -> list[str]:
    if isinstance(node, dict):
        own = [node["image"]] if isinstance(node.get("image"), str) else []
        return own + [each for value in node.values() for each in images(value)]
    return [each for item in node for each in images(item)] if isinstance(node, list) else []


@pytest.mark.parametrize("preview", [True, False], ids=["preview", "up"])
@pytest.mark.parametrize("stack", ["dev", "h100-mega"])
def test_the_repository_is_there_before_any_pod_pulls_from_it(stack: str, preview: bool) -> None:
    graph = mirrored(stack, {}, preview)
    repository = graph["image-mirror-repository"]
    assert repository.inputs["mode"] == "REMOTE_REPOSITORY"
    assert repository.inputs["remoteRepositoryConfig"] == {"dockerRepository": {"publicRepository": "DOCKER_HUB"}}
    assert any("artifactregistry" in key for key in repository.dependencies), "its API is on before"
    address = f"us-central1-docker.pkg.dev/{PROJECT_ID}/{repository.inputs['repositoryId']}/"
    pulling = [each for each in graph.registrations if any(address in image for image in images(each.inputs))]
    assert pulling
    for each in pulling:
        assert REPOSITORY in graph.before(each), each.key
    assert not [image for each in graph.registrations for image in images(each.inputs) if "docker.io" in image]


def test_a_repository_that_exists_is_used_and_never_made() -> None:
    address = f"us-central1-docker.pkg.dev/{PROJECT_ID}/shared"
    graph = mirrored("dev", {"existing": address}, preview=False)
    assert REPOSITORY not in {each.key for each in graph.registrations}
    found = [image for each in graph.registrations for image in images(each.inputs) if address in image]
    assert found and all(image.startswith(f"{address}/vllm/vllm-openai:") for image in found)


@pytest.mark.parametrize("stack", ["dev", "h100-mega", "article"])
def test_every_server_waits_until_its_image_is_on_the_nodes_of_its_pool(stack: str) -> None:
    graph = with_images(stack, {"prePull": True, "mirror": {}})
    pulls = {each.inputs["metadata"]["name"]: each for each in graph.registrations if "pre-pull-" in each.key}
    servers = [each for each in graph.registrations if each.key.endswith("-server") and "spec" in each.inputs]
    assert pulls and servers
    for server in servers:
        (before,) = [each for each in pulls.values() if each.key in graph.before(server)]
        own = {image for image in images(server.inputs) if "vllm-openai" in image}
        assert own and own <= set(images(before.inputs)), server.key
    for pull in pulls.values():
        node_pools = [key for key in graph.before(pull) if "gcp:container/nodePool:NodePool" in key]
        assert node_pools, "nodes come before what waits for them"
        assert not [image for image in images(pull.inputs) if "docker.io" in image], "they come through the mirror too"


def test_without_the_word_nothing_is_pulled_before() -> None:
    assert not [each.key for each in record("dev", preview=False).registrations if "pre-pull" in each.key]
