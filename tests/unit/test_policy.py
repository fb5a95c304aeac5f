"""Each rule of the policy, on its own examples, and on values that are not known yet."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from policy import RULES, Finding, Level, Resource, Rule, Stack, check, findings_of
from policy.images import digest_level
from policy.resource_types import CLUSTER, CONFIG_MAP, NODE_POOL, SECRET, SERVICE

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
each_rule = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)


@each_rule
def test_a_rule_finds_its_failing_example_and_says_what_to_write(rule: Rule) -> None:
    found = findings_of(rule, rule.failing)
    assert found
    for finding in found:
        assert len(finding.message.split()) > 4, finding.message


@each_rule
def test_a_rule_lets_its_passing_example_pass(rule: Rule) -> None:
    assert findings_of(rule, rule.passing) == []


@each_rule
def test_a_failing_example_breaks_no_other_rule_of_its_theme(rule: Rule) -> None:
    theme = rule.id.split("-")[0]
    broken = {finding.rule.id for finding in check(rule.failing) if finding.rule.id.startswith(f"{theme}-")}
    assert broken == {rule.id}


@each_rule
def test_a_value_that_is_not_known_breaks_no_rule(rule: Rule) -> None:
    """Every property of the failing example, unknown as a whole: a preview cannot say, so the rule does not."""
    blurred = tuple(
        replace(resource, properties=dict.fromkeys(resource.properties, UNKNOWN), protect=True)
        for resource in rule.failing.resources
    )
    forbidden_as_such = {"identity-no-account-key"}
    found = findings_of(rule, Stack(name=rule.failing.name, resources=blurred))
    assert bool(found) == (rule.id in forbidden_as_such)


def test_rules_have_distinct_ids_that_begin_with_their_theme() -> None:
    ids = [rule.id for rule in RULES]
    assert len(set(ids)) == len(ids)
    themes = {rule_id.split("-")[0] for rule_id in ids}
    assert themes == {"network", "identity", "image", "secret", "protection", "capacity", "labels"}


def test_every_rule_asks_of_one_resource_or_of_all_but_not_of_both() -> None:
    assert all((rule.check is None) != (rule.check_stack is None) for rule in RULES)


def _broken(*resources: Resource, stack: str = "dev") -> set[str]:
    return {finding.rule.id for finding in check(Stack(name=stack, resources=resources))}


def _resource(type_: str, **properties: Any) -> Resource:
    return Resource(type=type_, name="one", properties=properties)


def test_an_internal_load_balancer_is_no_public_address() -> None:
    annotations = {"networking.gke.io/load-balancer-type": "Internal"}
    service = _resource(SERVICE, metadata={"annotations": annotations}, spec={"type": "LoadBalancer"})
    assert _broken(service) == set()


@pytest.mark.parametrize(
    ("image", "pinned"),
    [
        ("vllm/vllm-openai", False),
        ("registry:5000/vllm", False),
        ("registry:5000/vllm:v1", True),
        ("vllm:latest", False),
        ("vllm@sha256:" + 64 * "a", True),
    ],
)
def test_a_port_of_a_registry_is_no_version(image: str, pinned: bool) -> None:
    template = {"spec": {"initContainers": [{"name": "i", "image": image}], "containers": []}}
    labels = {"app.kubernetes.io/name": "x"}
    job = _resource("kubernetes:batch/v1:Job", metadata={"labels": labels}, spec={"template": template})
    assert ("image-pinned" in _broken(job)) is not pinned


def test_the_pods_of_a_leader_worker_set_are_looked_into() -> None:
    template = {"spec": {"containers": [{"name": "c", "image": "vllm:latest"}]}}
    group = _resource(
        "kubernetes:leaderworkerset.x-k8s.io/v1:LeaderWorkerSet",
        metadata={"labels": {"app.kubernetes.io/name": "vllm"}},
        spec={"leaderWorkerTemplate": {"workerTemplate": template}},
    )
    assert _broken(group) == {"image-pinned"}


def test_a_secret_marked_by_the_engine_is_found_outside_a_secret() -> None:
    assert _broken(_resource(CONFIG_MAP, data={"a": "[secret]"})) == {"secret-only-in-secret"}
    assert _broken(_resource(SECRET, stringData={"a": "[secret]"})) == set()


def test_a_variable_that_takes_its_value_from_a_secret_is_right() -> None:
    def broken(variable: dict[str, Any]) -> set[str]:
        container = {"name": "c", "image": "a:1", "env": [variable]}
        pod = _resource("kubernetes:core/v1:Pod", spec={"containers": [container]})
        return _broken(pod)

    assert broken({"name": "HF_TOKEN", "value": "abc"}) == {"secret-only-in-secret"}
    assert broken({"name": "HF_TOKEN", "valueFrom": {"secretKeyRef": {"name": "t", "key": "k"}}}) == set()


def test_a_secret_in_base64_is_known_again() -> None:
    secret = _resource(SECRET, data={"a": "Y29ycmVjdC1ob3JzZQ=="})
    assert _broken(secret, _resource(CONFIG_MAP, data={"a": "x correct-horse x"})) == {"secret-not-copied"}


def test_production_is_told_by_the_stacks_name() -> None:
    cluster = Resource(type=CLUSTER, name="c", properties={"network": "own"})
    for name in ("production", "prod", "production-eu", "eu-prod"):
        assert "protection-cluster" in _broken(cluster, stack=name)
    for name in ("dev", "product", "reproduction"):
        assert "protection-cluster" not in _broken(cluster, stack=name)


def test_whoever_protects_a_stack_runs_its_images_by_digest() -> None:
    pod = {"containers": [{"name": "server", "image": "docker.io/vllm/vllm-openai:v0.33.0"}]}
    deployment = _resource("kubernetes:apps/v1:Deployment", spec={"template": {"spec": pod}})
    (rule,) = (rule for rule in RULES if rule.id == "image-digest-in-protected")
    guarded = Resource(type=CLUSTER, name="cluster", protect=True)
    assert findings_of(rule, Stack(name="dev", resources=(deployment,))) == []
    assert len(findings_of(rule, Stack(name="dev", resources=(deployment, guarded)))) == 1
    assert len(findings_of(rule, Stack(name="production", resources=(deployment,)))) == 1


def test_spend_counts_all_that_the_autoscaler_may_add() -> None:
    def pool(most: int) -> Resource:
        return _resource(
            NODE_POOL,
            location="us-central1",
            nodeLocations=["us-central1-b"],
            autoscaling={"totalMaxNodeCount": most},
            nodeConfig={
                "machineType": "a3-ultragpu-8g",
                "spot": True,
                "serviceAccount": "own",
                "workloadMetadataConfig": {"mode": "GKE_METADATA"},
                "guestAccelerators": [{"type": "nvidia-h200-141gb", "count": 8}],
            },
        )

    assert _broken(pool(2)) == set()
    assert _broken(pool(2), pool(1000)) == {"capacity-spend-bound"}


def test_a_finding_names_its_resource() -> None:
    config = _resource(CONFIG_MAP, data={"a": "[secret]"})
    found: list[Finding] = check(Stack(name="dev", resources=(config,)))
    assert [finding.resource for finding in found] == [config]


def test_digests_are_demanded_as_soon_as_every_image_of_the_catalogue_has_one(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    locked, open_ = "{repository: a, tag: v1, digest: 'sha256:0', digestDate: 2026-11-24}", "{repository: b, tag: v2}"
    (tmp_path / "one.yaml").write_text(f"image: {locked}")
    (tmp_path / "deep" / "two.yaml").write_text(f"images: [{open_}]")
    assert digest_level(tmp_path) is Level.ADVISORY
    (tmp_path / "deep" / "two.yaml").write_text(f"images: [{locked}]")
    assert digest_level(tmp_path) is Level.MANDATORY


def test_the_documentation_lists_the_rules_that_there_are_with_their_reasons() -> None:
    page = (Path(__file__).parents[2] / "docs" / "reviews.md").read_text(encoding="utf-8")
    table = page.split("## The rules")[1].split("\n## ")[0]
    of_its_own = {"image-digest-in-protected": "mandatory once `make lock-images` is complete, until then advisory"}
    rows = [f"| `{rule.id}` | {of_its_own.get(rule.id, rule.level.value)} | {rule.reason} |" for rule in RULES]
    assert sorted(line for line in table.splitlines() if line.startswith("| `")) == sorted(rows)
