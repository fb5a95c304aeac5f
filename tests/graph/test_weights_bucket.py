"""Weights in a bucket: it is made, filled by who may write and read by who may read, in this order, and kept."""

import json
from typing import Any

import pytest

from tests.graph.recorder import PROJECT_ID, Graph, Registration, record, stack_config

BUCKET = "gcp:storage/bucket:Bucket weights-bucket"
MEMBER = "gcp:storage/bucketIAMMember:BucketIAMMember"


def filled(stack: str, bucket: dict[str, Any], preview: bool = False, **changes: Any) -> Graph:
    config = stack_config(stack)
    models = json.loads(config["inference-platform:models"])
    models[0]["weights"] = {"kind": "bucket"}
    said = {"weightsBucket": bucket, "models": models, **changes}
    texts = {f"inference-platform:{key}": json.dumps(value) for key, value in said.items()}
    if "token" in changes:
        del config["inference-platform:huggingFaceToken"]
    return record(stack, preview=preview, config={**config, **texts})


def jobs(graph: Graph) -> list[Registration]:
    found = graph.of_type("kubernetes:batch/v1:Job")
    return [each for each in found if each.inputs["metadata"]["labels"]["app.kubernetes.io/name"] == "weights-fill"]


def container(registration: Registration) -> dict[str, Any]:
    return registration.inputs["spec"]["template"]["spec"]["containers"][0]


@pytest.mark.parametrize("preview", [True, False], ids=["preview", "up"])
@pytest.mark.parametrize("stack", ["dev", "h200"])
def test_the_bucket_is_filled_before_a_server_reads_it(stack: str, preview: bool) -> None:
    graph = filled(stack, {}, preview)
    bucket = graph["weights-bucket"]
    assert bucket.inputs["hierarchicalNamespace"] == {"enabled": True}
    assert bucket.inputs["uniformBucketLevelAccess"] and bucket.inputs["publicAccessPrevention"] == "enforced"
    assert bucket.inputs["softDeletePolicy"] == {"retentionDurationSeconds": 604800}
    assert bucket.inputs["location"] == "us-central1" and not bucket.inputs.get("forceDestroy")
    assert any("storage" in key and "Service" in key for key in graph.before(bucket)), "its API is on before"
    (job,) = jobs(graph)
    words = container(job)["args"]
    assert words[0] == bucket.inputs["name"] == f"{PROJECT_ID}-{stack}-weights"
    servers = [
        each
        for each in graph.registrations
        if each.type.endswith((":Deployment", ":LeaderWorkerSet")) and words[1] in json.dumps(each.inputs)
    ]
    assert servers
    for server in servers:
        before = graph.before(server)
        assert {job.key, BUCKET} <= before
        readers = [each for each in graph.of_type(MEMBER) if each.name.startswith("serving-identity-")]
        assert {each.key for each in readers} <= before and len(readers) == 2
    assert {each.key for each in graph.of_type(MEMBER) if each.name.startswith("fill-identity-")} <= graph.before(job)


def test_servers_may_read_and_the_fill_may_write_and_nobody_has_a_key() -> None:
    graph = filled("dev", {})
    roles = {(each.name.rpartition("-storage")[0], each.inputs["role"]) for each in graph.of_type(MEMBER)}
    assert roles == {
        ("serving-identity", "roles/storage.objectViewer"),
        ("serving-identity", "roles/storage.bucketViewer"),
        ("fill-identity", "roles/storage.objectUser"),
    }
    bound = {each.inputs["member"] for each in graph.of_type("gcp:serviceaccount/iAMMember:IAMMember")}
    pool = f"serviceAccount:{PROJECT_ID}.svc.id.goog"
    assert bound == {f"{pool}[serving/model-server]", f"{pool}[serving/weights-fill]"}
    assert not [each for each in graph.registrations if "serviceaccount/key" in each.type]
    accounts = {each.inputs["metadata"]["name"] for each in graph.of_type("kubernetes:core/v1:ServiceAccount")}
    assert accounts == {"model-server", "weights-fill"}


def test_with_a_token_in_secret_manager_each_has_one_account_that_reads_the_secret_too() -> None:
    graph = filled("dev", {}, token={"secretManager": {"secret": "hf", "version": 1}})
    members = graph.of_type("gcp:secretmanager/secretIamMember:SecretIamMember")
    assert {each.name for each in members} == {"serving-identity-reads-token", "fill-identity-reads-token"}
    accounts = [each.inputs["metadata"]["name"] for each in graph.of_type("kubernetes:core/v1:ServiceAccount")]
    assert sorted(accounts) == ["model-server", "weights-fill"]
    assert len(graph.of_type("gcp:serviceaccount/account:Account")) == 3


def test_the_bucket_is_deleted_only_by_a_word_of_its_own() -> None:
    kept, gone = filled("dev", {})["weights-bucket"], filled("dev", {"deletable": True})["weights-bucket"]
    assert kept.options["protect"] and not kept.inputs.get("forceDestroy")
    assert not gone.options["protect"] and gone.inputs["forceDestroy"]


def test_a_bucket_that_exists_is_read_and_filled_and_never_made() -> None:
    graph = filled("dev", {"existing": "acme-weights"})
    assert BUCKET not in {each.key for each in graph.registrations}
    assert {each.inputs["bucket"] for each in graph.of_type(MEMBER)} == {"acme-weights"}
    (job,) = jobs(graph)
    assert container(job)["args"][0] == "acme-weights"


def test_pods_that_ask_google_reach_the_metadata_server_and_others_do_not() -> None:
    def egress(graph: Graph) -> dict[str, str]:
        policies = graph.of_type("kubernetes:networking.k8s.io/v1:NetworkPolicy")
        return {each.inputs["metadata"]["name"]: json.dumps(each.inputs["spec"]["egress"]) for each in policies}

    found = egress(filled("dev", {}))
    for name in ("servers", "weights-fills"):
        assert '{"cidr": "169.254.169.254/32"}' in found[name]
    assert "169.254.169.254/32" not in found["smoke-tests"]
    before = egress(record("dev", preview=False))
    assert "weights-fills" not in before and "169.254.169.254/32" not in before["servers"]
