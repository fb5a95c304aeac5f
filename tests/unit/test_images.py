"""Images of Docker Hub come through one repository under the same digest, and are streamed only from there."""

from typing import Any

import pytest

from config import ConfigurationError, read_stack_file
from config.settings import Settings
from planning.images import host_and_path, mirrored, origin
from planning.plan import ImageMirrorPlan, PlatformPlan
from planning.platform import plan_platform
from tests.unit.google_rules import CHECKOUT
from verification.doctor.account import made_kinds
from verification.doctor.images import images

MIRROR = ImageMirrorPlan(project="acme-1", location="us-central1", name="hub", exists=True, keep_days=90)
AT = "us-central1-docker.pkg.dev/acme-1/hub"
DIGEST = "@sha256:" + "5a" * 32


def plan(stack: str, images: dict[str, Any] | None = None, project: str | None = "acme-1", **pool: Any) -> PlatformPlan:
    said = read_stack_file(CHECKOUT, stack).model_dump(by_alias=True, exclude_unset=True, mode="json")
    said["nodePools"][0] |= pool
    said |= {"images": images or {}, "project": project}
    return plan_platform(Settings.model_validate(said), stack)


@pytest.mark.parametrize(
    ("reference", "there"),
    [
        (f"docker.io/vllm/vllm-openai:v0.33.0{DIGEST}", f"{AT}/vllm/vllm-openai:v0.33.0{DIGEST}"),
        ("vllm/vllm-openai:v0.33.0", f"{AT}/vllm/vllm-openai:v0.33.0"),
        ("index.docker.io/vllm/vllm-openai:v0.33.0", f"{AT}/vllm/vllm-openai:v0.33.0"),
        ("docker.io/library/ubuntu:24.04", f"{AT}/library/ubuntu:24.04"),
        ("ubuntu:24.04", f"{AT}/library/ubuntu:24.04"),
        ("gcr.io/gke-release/pause:3.8", "gcr.io/gke-release/pause:3.8"),
        ("localhost/vllm:1", "localhost/vllm:1"),
        ("registry:5000/vllm:1", "registry:5000/vllm:1"),
        (f"{AT}/vllm/vllm-openai:v0.33.0", f"{AT}/vllm/vllm-openai:v0.33.0"),
    ],
)
def test_what_is_docker_hubs_comes_through_the_repository_and_nothing_else(reference: str, there: str) -> None:
    assert mirrored(MIRROR, reference) == there


def test_where_an_image_comes_from_in_the_end_is_still_known() -> None:
    assert origin(MIRROR, f"{AT}/vllm/vllm-openai:v1") == "docker.io/vllm/vllm-openai:v1"
    assert origin(MIRROR, "gcr.io/a/b:1") == origin(None, "gcr.io/a/b:1") == "gcr.io/a/b:1"


def referenced(node: Any) -> list[str]:
    """Every text of a plan that names an image."""
    if isinstance(node, dict):
        named = [value for key, value in node.items() if key in ("image", "repository") and isinstance(value, str)]
        return named + [each for value in node.values() for each in referenced(value)]
    return [each for item in node for each in referenced(item)] if isinstance(node, list | tuple) else []


@pytest.mark.parametrize("stack", ["h200", "h100-mega", "dev", "gb300"])
def test_no_image_of_a_whole_plan_comes_from_docker_hub_itself(stack: str) -> None:
    before, after = (referenced(plan(stack, said).model_dump()) for said in ({}, {"mirror": {}}))
    hubs = [each for each in before if host_and_path(each)[0] == "docker.io"]
    assert hubs and not [each for each in after if host_and_path(each)[0] == "docker.io"]
    at = f"us-central1-docker.pkg.dev/acme-1/{stack}-docker-hub/"
    assert sum(each.startswith(at) for each in after) == len(hubs)


def test_one_of_the_stacks_own_is_made_and_asked_for_and_one_that_exists_is_not() -> None:
    own, given = plan("dev", {"mirror": {}}), plan("dev", {"mirror": {"existing": AT}})
    assert own.image_mirror and (own.image_mirror.name, own.image_mirror.location) == ("dev-docker-hub", "us-central1")
    assert "artifactregistry.googleapis.com" in own.services
    assert "artifactregistry.googleapis.com" not in (*given.services, *plan("dev").services)
    assert "artifactregistry/repository" in made_kinds(own) and "artifactregistry/repository" not in made_kinds(given)
    assert given.models[0].image.startswith(f"{AT}/vllm/vllm-openai:")
    assert images(own) == images(given) == images(plan("dev")), "the doctor asks Docker Hub whether they are there"


def test_a_project_of_a_domain_is_written_as_registries_write_it() -> None:
    address = "us-central1-docker.pkg.dev/acme.com/models/hub"
    made = plan("dev", {"mirror": {"existing": address}}, project="acme.com:models")
    assert made.image_mirror and made.image_mirror.project == "acme.com:models"
    assert not [each for each in made.warnings if "images" in each.path]
    assert made.models[0].image.startswith(f"{address}/vllm/vllm-openai:")


def test_a_plan_is_made_before_anybody_knows_the_project() -> None:
    made = plan("dev", {"mirror": {}}, project=None)
    assert made.models[0].image.startswith("us-central1-docker.pkg.dev/PROJECT/dev-docker-hub/vllm/")


@pytest.mark.parametrize(
    ("existing", "text"),
    [
        (
            "europe-west4-docker.pkg.dev/acme-1/hub",
            "is in europe-west4: every node in us-central1 pulls its images over",
        ),
        ("us-central1-docker.pkg.dev/acme-2/hub", "is in project acme-2: its owner must give the nodes' account"),
    ],
)
def test_a_repository_that_is_far_or_anothers_is_warned_of(existing: str, text: str) -> None:
    found = plan("dev", {"mirror": {"existing": existing}}).warnings
    assert [each for each in found if each.path.endswith("images.mirror.existing") and text in each.text]
    near = plan("dev", {"mirror": {"existing": "us-docker.pkg.dev/acme-1/hub"}}).warnings
    assert not [each for each in near if "images" in each.path]


def test_an_image_is_streamed_from_artifact_registry_near_the_nodes_alone() -> None:
    made = plan("dev", {"mirror": {}}, imageStreaming=True)
    assert made.node_pools[0].image_streaming and "containerfilesystem.googleapis.com" in made.services
    assert made.cluster.node_identity and "roles/serviceusage.serviceUsageConsumer" in made.cluster.node_identity.roles
    still = plan("dev", {"mirror": {}}).cluster.node_identity
    assert still and "roles/serviceusage.serviceUsageConsumer" not in still.roles
    for said, why, advice in (
        ({}, "of docker.io is not streamed: only images in Artifact Registry are", "images: {mirror: {}}"),
        (
            {"mirror": {"existing": "europe-west4-docker.pkg.dev/acme-1/hub"}},
            "its repository is in europe-west4, and the nodes are in us-central1",
            "a repository in us-central1",
        ),
    ):
        with pytest.raises(ConfigurationError) as refused:
            plan("dev", said, imageStreaming=True)
        (problem,) = refused.value.problems
        assert problem.path == "inference-platform:nodePools[0].imageStreaming"
        assert why in str(refused.value) and advice in str(refused.value)


def test_what_is_on_a_secondary_boot_disk_is_read_from_there() -> None:
    disk = "projects/acme/global/images/vllm"
    assert plan("dev", imageStreaming=True, secondaryBootDisk=disk).node_pools[0].secondary_boot_disk == disk


@pytest.mark.parametrize("existing", ["acme-1/hub", "us-central1-docker.pkg.dev/acme-1", "docker.io/acme-1/hub"])
def test_an_address_that_is_no_repositorys_is_refused(existing: str) -> None:
    with pytest.raises(ValueError, match=r"images\.mirror\.existing"):
        plan("dev", {"mirror": {"existing": existing}})
