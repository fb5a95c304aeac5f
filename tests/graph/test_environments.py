"""Protection, labels, what exists already, and where the token is: what an environment adds to the graph."""

import json
import subprocess
import sys
from typing import Any

import pulumi
import pytest

from catalog import ALERTS
from tests.graph.existing import CLUSTER, EXISTING
from tests.graph.recorder import CHECKOUT, NAMESPACE, PROJECT_ID, TOKEN, Graph, record, stack_config

CHANNEL = "gcp:monitoring/notificationChannel:NotificationChannel"
POOL = f"{CLUSTER}/nodePools/l4"
L4_POOL = {
    "name": "l4",
    "nodeLocations": ["us-central1-a"],
    "nodeConfig": {"machineType": "g2-standard-12"},
}
JOINED = {"existing": {"name": "shared", "systemPool": "system", "provides": ["nodePools"]}}
NETWORK = {"existing": {"network": "shared", "subnetwork": "gke", "podsRange": "pods", "servicesRange": "services"}}


def graph(stack: str, existing: dict[str, Any] | None = None, *, preview: bool = False, **changes: Any) -> Graph:
    config = stack_config(stack)
    for key, value in changes.items():
        config[f"{NAMESPACE}:{key}"] = value if isinstance(value, str) else json.dumps(value)
    if "token" in changes:
        del config[f"{NAMESPACE}:huggingFaceToken"]
    return record(stack, preview=preview, config=config, existing={**EXISTING, **(existing or {})})


def protected(found: Graph) -> set[str]:
    return {registration.name for registration in found.registrations if registration.options["protect"]}


def test_protection_covers_the_cluster_its_vpcs_and_the_gpu_pools_and_nothing_else() -> None:
    production = graph("production")
    assert protected(production) == {
        "gke-cluster",
        "network-vpc",
        "fabric-production-gvnic",
        "fabric-production-rdma",
        "h200-pool",
    }
    assert production["gke-cluster"].inputs["deletionProtection"] is True


def test_an_acknowledgement_lets_go_what_it_names_alone() -> None:
    assert "h200-pool" not in (left := protected(graph("production", acknowledgeReplacement=["h200"])))
    assert {"gke-cluster", "network-vpc"} <= left
    without_cluster = graph("production", acknowledgeReplacement=["cluster"])
    assert protected(without_cluster) == {"h200-pool"}
    assert without_cluster["gke-cluster"].inputs["deletionProtection"] is False


def test_dev_is_not_protected() -> None:
    assert protected(graph("dev")) == set()


def test_labels_are_on_the_cluster_and_on_every_pool() -> None:
    labels = {"environment": "production", "cost-centre": "inference"}
    production = graph("production")
    assert production["gke-cluster"].inputs["resourceLabels"] == labels
    for pool in production.of_type("gcp:container/nodePool:NodePool"):
        assert pool.inputs["nodeConfig"]["resourceLabels"] == labels


def test_no_gpu_node_is_upgraded_unasked() -> None:
    (policy,) = graph("production")["h200-pool"].inputs["maintenancePolicies"]
    assert policy == {"exclusionUntilEndOfSupports": [{"enabled": True}]}
    (exclusion,) = graph("production")["gke-cluster"].inputs["maintenancePolicy"]["maintenanceExclusions"]
    assert exclusion["exclusionOptions"]["scope"] == "NO_MINOR_OR_NODE_UPGRADES"


def test_another_token_rolls_the_servers_and_shows_itself_nowhere() -> None:
    found = graph("dev")
    secret = found["hugging-face-serving"]
    # Another token makes another object beside this one, whose name is all that servers and their proof say of it.
    assert secret.inputs["immutable"] is True and "name" not in secret.inputs["metadata"]
    assert secret.options["deleteBeforeReplace"] is False
    (volume,) = [v for v in found["gemma-3-1b-server"].inputs["spec"]["template"]["spec"]["volumes"] if "secret" in v]
    assert volume["secret"]["secretName"] == f"{secret.name}-0a1b2c3"
    for name in ("gemma-3-1b-server", "gemma-3-1b-smoke-test"):
        template = found[name].inputs["spec"]["template"]["metadata"]
        assert template["annotations"]["inference-platform/token-revision"] == f"{secret.name}-0a1b2c3"
    other = graph("dev", huggingFaceToken=f"{TOKEN}_other")
    assert [each.as_dict() for each in found.registrations] == [each.as_dict() for each in other.registrations]


def test_another_version_of_the_secret_rolls_the_servers() -> None:
    def template(version: int) -> dict[str, Any]:
        found = graph("dev", token={"secretManager": {"secret": "hf", "version": version}})
        assert found.of_type("kubernetes:core/v1:Secret") == []
        return found["gemma-3-1b-server"].inputs["spec"]["template"]

    assert template(1)["metadata"] != template(2)["metadata"]
    assert template(1)["spec"]["serviceAccountName"] == "model-server"


@pytest.mark.parametrize("preview", [True, False])
def test_a_given_network_is_read_and_never_registered(preview: bool) -> None:
    found = graph("dev", network=NETWORK, preview=preview)
    assert not [r for r in found.registrations if r.type.startswith("gcp:compute/")]
    assert any(id_.endswith("/subnetworks/gke") for id_ in found.reads)
    assert found["gke-cluster"].inputs["ipAllocationPolicy"] == {
        "clusterSecondaryRangeName": "pods",
        "servicesSecondaryRangeName": "services",
    }


@pytest.mark.parametrize("preview", [True, False])
def test_a_given_cluster_is_read_and_its_objects_are_not_left_to_go_with_it(preview: bool) -> None:
    found = graph("dev", {POOL: L4_POOL}, cluster=JOINED, preview=preview)
    assert not [r for r in found.registrations if r.type.startswith("gcp:container/")]
    assert {CLUSTER, POOL, f"{CLUSTER}/nodePools/system"} <= set(found.reads)
    assert all(r.options["deletedWith"] == "" for r in found.registrations)
    assert protected(graph("dev", {POOL: L4_POOL}, cluster=JOINED, protection=True)) == set()


def test_a_cluster_of_another_project_is_read_there_and_its_pods_are_known_by_its_pool() -> None:
    theirs = "acme-platform"
    of_them = {id_.replace(PROJECT_ID, theirs): each for id_, each in {**EXISTING, POOL: L4_POOL}.items()}
    cluster_id = CLUSTER.replace(PROJECT_ID, theirs)
    of_them[cluster_id] = {
        **EXISTING[CLUSTER],
        "secretManagerConfig": {"enabled": True},
        "monitoringConfig": {"managedPrometheus": {"enabled": True}},
    }
    joined = {"existing": {**JOINED["existing"], "project": theirs}}
    secret = {"secretManager": {"secret": "hf", "version": 1}}
    found = graph("dev", of_them, cluster=joined, token=secret, alerts={"emails": ["a@example.com"]})
    assert {cluster_id, f"{cluster_id}/nodePools/l4"} <= set(found.reads)
    (bound,) = found.of_type("gcp:serviceaccount/iAMMember:IAMMember")
    assert bound.inputs["member"] == f"serviceAccount:{theirs}.svc.id.goog[serving/model-server]"
    # The account and the secret are the stack's own; metrics, and so alerts, are the cluster's.
    assert found["serving-identity-reads-token"].inputs["project"] == PROJECT_ID
    assert {each.inputs["project"] for each in found.of_type("gcp:monitoring/alertPolicy:AlertPolicy")} == {theirs}
    assert f"--project {theirs}" in found.outputs["credentialsCommand"]


def test_node_pools_of_a_cluster_of_another_project_are_not_this_stacks_to_make() -> None:
    joined = {"existing": {"name": "shared", "systemPool": "system", "project": "acme-platform"}}
    with pytest.raises(pulumi.RunError, match="Write project: acme-platform, or provides: \\[nodePools\\]"):
        graph("dev", cluster=joined)


@pytest.mark.parametrize(
    ("changes", "existing", "text"),
    [
        ({"network": {"existing": {**NETWORK["existing"], "podsRange": "pod"}}}, {}, "it has no secondary range pod;"),
        ({"cluster": JOINED}, {POOL: {**L4_POOL, "nodeLocations": ["us-central1-c"]}}, "it is in us-central1-c"),
        (
            {"cluster": JOINED},
            {POOL: L4_POOL, CLUSTER: {**EXISTING[CLUSTER], "datapathProvider": "LEGACY_DATAPATH"}},
            "it has no Dataplane V2",
        ),
        (
            {"cluster": JOINED, "token": {"secretManager": {"secret": "hf"}}},
            {POOL: L4_POOL},
            "it has no Secret Manager add-on",
        ),
    ],
)
def test_what_is_given_and_will_not_do_is_refused(changes: dict[str, Any], existing: dict[str, Any], text: str) -> None:
    # The program ends midway; what it had begun is left to a process of its own.
    program = (
        f"from tests.graph.test_environments import graph; graph('dev', {existing!r}, preview=True, **{changes!r})"
    )
    run = subprocess.run([sys.executable, "-c", program], cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert run.returncode != 0 and text in run.stderr


def test_whoever_is_named_hears_of_everything_and_in_the_clusters_own_project() -> None:
    channel = f"projects/{PROJECT_ID}/notificationChannels/7"
    found = graph("dev", alerts={"emails": ["a@example.com", "b@example.com"], "channels": [channel]})
    addresses = [each.inputs["labels"] for each in found.of_type(CHANNEL)]
    assert addresses == [{"email_address": "a@example.com"}, {"email_address": "b@example.com"}]
    policies = found.of_type("gcp:monitoring/alertPolicy:AlertPolicy")
    assert len(policies) == len(ALERTS)
    for policy in policies:
        (mine, *others) = policy.inputs["notificationChannels"]
        assert mine == channel and len(others) == 2
        assert policy.inputs["project"] == PROJECT_ID
    # What they watch is collected, of every namespace of servers.
    (collection,) = found.of_type("kubernetes:monitoring.googleapis.com/v1:PodMonitoring")
    server = found["gemma-3-1b-server"].inputs
    wanted = collection.inputs["spec"]["selector"]["matchLabels"].items()
    assert collection.inputs["metadata"]["namespace"] == server["metadata"]["namespace"]
    assert wanted <= server["spec"]["template"]["metadata"]["labels"].items()


def test_staging_and_production_tell_somebody_and_dev_nobody() -> None:
    assert {stack: bool(graph(stack).of_type(CHANNEL)) for stack in ("dev", "staging", "production")} == {
        "dev": False,
        "staging": True,
        "production": True,
    }


def test_alerts_of_a_cluster_that_collects_nothing_are_refused() -> None:
    alerts = {"emails": ["a@example.com"]}
    with pytest.raises(pulumi.RunError, match="shared will not do: it has no managed Prometheus"):
        graph("dev", existing={POOL: L4_POOL}, cluster=JOINED, alerts=alerts)
