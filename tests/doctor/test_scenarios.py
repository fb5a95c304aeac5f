"""Each thing that stops an `up` at Google gives one failed row, which says what to do; a good day gives none."""

import re
from dataclasses import dataclass, field
from typing import Any

import pytest
import yaml

from config import stack_names
from sandbox.cloud import scenario
from sandbox.cloud.situation import Limit, Secret, Situation
from sandbox.cloud.store import Record, State
from tests.doctor.standing import HOST, PROJECT, Doctor, Run
from tests.unit.google_rules import CHECKOUT
from verification.doctor.rows import Row

VLLM = "docker.io/vllm/vllm-openai"
GEMMA = "google/gemma-3-1b-it"
CHANNELS = {"REGULAR": ("1.36.3-gke.1000000", "1.35.4-gke.1000000"), "STABLE": ("1.35.4-gke.1000000",)}
SHARED = {
    "network": {
        "existing": {
            "project": HOST,
            "network": "shared",
            "subnetwork": "gke",
            "podsRange": "pods",
            "servicesRange": "services",
        }
    }
}


def shared_vpc() -> State:
    """A network of a host project, as another program made it."""
    id_ = f"projects/{HOST}/regions/us-central1/subnetworks/gke"
    outputs: dict[str, Any] = {
        "name": "gke",
        "network": f"projects/{HOST}/global/networks/shared",
        "ipCidrRange": "10.10.0.0/20",
        "secondaryIpRanges": [
            {"rangeName": "pods", "ipCidrRange": "10.20.0.0/14"},
            {"rangeName": "services", "ipCidrRange": "10.30.0.0/20"},
        ],
    }
    return State(resources={id_: Record("gcp:compute/subnetwork:Subnetwork", outputs, outputs)})


@dataclass(frozen=True)
class Scenario:
    """What is wrong, the one row that fails for it, and words of what to do."""

    row: Row
    advice: str
    situation: Situation = field(default_factory=Situation)
    stack: str = "production"
    changes: dict[str, Any] = field(default_factory=dict)
    reservations: list[dict[str, Any]] | None = None
    state: State | None = None
    variables: dict[str, str | None] = field(default_factory=dict)

    def examined_by(self, doctor: Doctor) -> Run:
        return doctor.examine(
            self.stack,
            situation=self.situation,
            state=self.state,
            changes=self.changes,
            reservations=self.reservations,
            variables=self.variables,
        )


def good(**others: Any) -> Situation:
    """A Google on which a stack has nothing to fail but what is said, in the words of a scenario file."""
    return Situation.model_validate({"channels": EVERY_CHANNEL, **others})


EVERY_CHANNEL = dict.fromkeys(("RAPID", "REGULAR", "STABLE"), ("1.36.3-gke.1000000", "1.35.4-gke.1000000"))
STABLE_136 = {"cluster": {"releaseChannel": "stable", "version": "1.36"}}
SCENARIOS = {
    "quota too low": Scenario(
        Row.QUOTA,
        "of PREEMPTIBLE_NVIDIA_L4_GPUS in us-central1",
        good(regionalLimits={"PREEMPTIBLE_NVIDIA_L4_GPUS": Limit(limit=0)}),
        "dev",
    ),
    "quota used by others": Scenario(
        Row.QUOTA,
        "free some, or ask for",
        good(regionalLimits={"PREEMPTIBLE_NVIDIA_L4_GPUS": Limit(limit=4, usage=4)}),
        "dev",
    ),
    "quota that only Cloud Quotas has": Scenario(
        Row.QUOTA,
        "of PREEMPTIBLE_NVIDIA_H200_GPUS in us-central1",
        good(cloudQuotas={"PREEMPTIBLE-NVIDIA-H200-GPUS-per-project-region": 4}),
        "h200",
    ),
    "no room for another VPC": Scenario(
        Row.QUOTA, "of NETWORKS at https", good(projectLimits={"NETWORKS": Limit(limit=5, usage=3)})
    ),
    "no address left": Scenario(
        Row.QUOTA,
        "of IN_USE_ADDRESSES in us-central1",
        good(regionalLimits={"IN_USE_ADDRESSES": Limit(limit=8, usage=8)}),
        "dev",
    ),
    "version that the channel has not": Scenario(
        Row.GKE_VERSION,
        "write cluster.version: one of these, or cluster.releaseChannel: regular",
        good(channels=CHANNELS),
        changes=STABLE_136,
    ),
    "reservation short": Scenario(
        Row.RESERVATION, "have it enlarged, or write fewer nodes", good(), reservations=[{"inUse": 1}]
    ),
    "reservation absent": Scenario(Row.RESERVATION, "gcloud compute reservations list", good(), reservations=[]),
    "reservation not shared": Scenario(
        Row.RESERVATION,
        "--add-share-with",
        good(),
        changes={
            "nodePools": [
                {
                    "name": "h200",
                    "accelerator": "h200",
                    "zone": "us-central1-b",
                    "nodes": 2,
                    "capacity": {"kind": "reservation", "name": "inference-production", "project": "acme-capacity"},
                }
            ]
        },
        reservations=[{"shared": False}],
    ),
    "reservation of other machines": Scenario(
        Row.RESERVATION,
        "write the other machine or reservation",
        good(),
        reservations=[{"machineType": "a3-highgpu-8g"}],
    ),
    "reservation not begun": Scenario(
        Row.RESERVATION, "capacity.active: false", good(), reservations=[{"status": "pending"}]
    ),
    "no network profile in the zone": Scenario(
        Row.NETWORK_PROFILE,
        "gcloud compute network-profiles list",
        good(missing=("networkProfiles/us-central1-b-vpc-roce",)),
    ),
    "cluster absent": Scenario(
        Row.CLUSTER,
        "write its name and project in cluster.existing",
        good(),
        "dev",
        {"cluster": {"existing": {"name": "shared-gpu", "systemPool": "system"}}},
    ),
    "machine type missing": Scenario(
        Row.MACHINE_TYPE, "gcloud compute machine-types list", good(missing=("machineTypes/a3-ultragpu-8g",))
    ),
    "system machine missing in two zones": Scenario(
        Row.MACHINE_TYPE,
        "cluster.systemPool.machineType",
        good(missing=("us-central1-a/machineTypes/e2-standard-4", "us-central1-f/machineTypes/e2-standard-4")),
    ),
    "accelerator missing": Scenario(
        Row.ACCELERATOR, "gcloud compute accelerator-types list", good(missing=("acceleratorTypes/nvidia-h200-141gb",))
    ),
    "permission missing": Scenario(
        Row.PERMISSIONS, "roles/container.admin", good(denied=("container.clusters.create",))
    ),
    "API off that may not be turned on": Scenario(
        Row.API,
        "have the project's owner run `gcloud services enable logging.googleapis.com`",
        good(disabled=("logging.googleapis.com",), denied=("serviceusage.services.enable",)),
    ),
    "project that nobody may see": Scenario(
        Row.PROJECT, "pulumi config set inference-platform:project", good(denied=("resourcemanager.projects.get",))
    ),
    "subnetwork absent": Scenario(
        Row.SUBNETWORK,
        "write its name in network.existing",
        good(host=HOST, missing=("subnetworks/gke",)),
        "dev",
        SHARED,
        state=shared_vpc(),
    ),
    "subnetwork without the pods' range": Scenario(
        Row.SUBNETWORK,
        "network.existing.podsRange",
        good(host=HOST, missing=("pods",)),
        "dev",
        SHARED,
        state=shared_vpc(),
    ),
    "project attached to no host": Scenario(
        Row.SHARED_VPC, "gcloud compute shared-vpc associated-projects add", good(), "dev", SHARED, state=shared_vpc()
    ),
    "service agent without its role": Scenario(
        Row.SERVICE_AGENTS,
        "add each as a binding of the host project",
        good(host=HOST, agentsLack=("roles/container.hostServiceAgentUser",)),
        "dev",
        SHARED,
        state=shared_vpc(),
    ),
    "secret missing": Scenario(Row.SECRET, "gcloud secrets create hugging-face-token", good(secrets={})),
    "secret without that version": Scenario(
        Row.SECRET_VERSION,
        "gcloud secrets versions add",
        good(secrets={"hugging-face-token": Secret(versions={"7": "ENABLED"})}),
    ),
    "secret version disabled": Scenario(
        Row.SECRET_VERSION,
        "gcloud secrets versions enable 1",
        good(secrets={"hugging-face-token": Secret(versions={"1": "DISABLED"})}),
    ),
    "secret that nobody may give": Scenario(
        Row.SECRET_READER, "roles/secretmanager.admin", good(denied=("secretmanager.secrets.setIamPolicy",))
    ),
    "image absent": Scenario(Row.IMAGE, "correct its name or tag", good(missingImages=(VLLM,))),
    "image refused for today": Scenario(
        Row.IMAGE, "let it come through Artifact Registry", good(limitedImages=(VLLM,))
    ),
    "few pulls left": Scenario(Row.IMAGE, "let it come through Artifact Registry", good(pullsLeft=3), "dev"),
    "licence not accepted": Scenario(
        Row.LICENCE,
        f"accept its licence at https://huggingface.co/{GEMMA}",
        good(licencesNotAccepted=(GEMMA,)),
        "dev",
    ),
    "token invalid": Scenario(Row.TOKEN, "https://huggingface.co/settings/tokens", good(tokenIsValid=False)),
    "model unknown": Scenario(Row.MODEL, "correct model", good(missingModels=(GEMMA,)), "dev"),
    "revision unknown": Scenario(
        Row.MODEL,
        "it has no revision v9",
        good(missingRevisions=("v9",)),
        "dev",
        {"models": [{"name": "gemma", "model": "google/gemma-3-1b-it", "engine": {"revision": "v9"}}]},
    ),
    "Google unreachable": Scenario(
        Row.CREDENTIALS,
        "is there a way out",
        good(),
        variables={"GOOGLE_APPLICATION_CREDENTIALS": "elsewhere.json"},
    ),
    "nobody logged in": Scenario(
        Row.CREDENTIALS,
        "gcloud auth application-default login",
        good(),
        variables={"GOOGLE_APPLICATION_CREDENTIALS": "/nowhere/key.json"},
    ),
    "APIs unreachable": Scenario(
        Row.PROJECT,
        "is there a way out to Google",
        good(),
        variables={
            "GOOGLE_SERVICE_USAGE_CUSTOM_ENDPOINT": "http://127.0.0.1:9/v1/",
            "GOOGLE_RESOURCE_MANAGER_V3_CUSTOM_ENDPOINT": "http://127.0.0.1:9/v3/",
        },
    ),
    "address that would show the token": Scenario(
        Row.CREDENTIALS,
        "unset it",
        good(),
        variables={"GOOGLE_COMPUTE_CUSTOM_ENDPOINT": "http://compute.example/compute/v1/"},
    ),
}


@pytest.mark.parametrize("name", SCENARIOS)
def test_what_is_wrong_is_one_failed_row_that_says_what_to_do(doctor: Doctor, name: str) -> None:
    scenario = SCENARIOS[name]
    run = scenario.examined_by(doctor)
    failed = run.failed()
    assert [row for _, row in failed] == [scenario.row], run.said
    assert scenario.advice in next(iter(failed.values()))
    assert run.status == 1


def test_there_are_as_many_scenarios_as_rows_and_every_row_can_fail() -> None:
    failing = {scenario.row for scenario in SCENARIOS.values()}
    assert len(SCENARIOS) >= 20
    assert failing == set(Row)


@pytest.mark.parametrize("stack", stack_names(CHECKOUT))
def test_a_good_day_fails_no_row_of_a_shipped_stack(doctor: Doctor, stack: str) -> None:
    run = doctor.examine(stack)
    assert run.failed() == {}, run.said
    assert run.status == 0
    passed = [key for key, (result, _) in run.rows.items() if result == "passed"]
    # What nobody knows the name of, or Cloud Quotas has not, is the only thing that cannot be seen.
    assert {row for _, row in run.unseen()} <= {Row.QUOTA}
    assert len(passed) > 15
    assert re.search(r"\d+ passed, 0 failed, \d+ not observable here", run.said)


def test_a_shared_vpc_that_is_set_up_passes(doctor: Doctor) -> None:
    run = doctor.examine("dev", situation=good(host=HOST), state=shared_vpc(), changes=SHARED)
    assert run.failed() == {}, run.said
    assert {row for _, row in run.rows} >= {Row.SUBNETWORK, Row.SHARED_VPC, Row.SERVICE_AGENTS}
    assert PROJECT in run.rows[HOST, Row.SHARED_VPC][1]


def test_the_pages_scenario_is_one() -> None:
    page = (CHECKOUT / "docs" / "sandbox.md").read_text(encoding="utf-8")
    (block,) = (
        each for each in re.findall(r"^```yaml\n(.*?)^```", page, re.MULTILINE | re.DOTALL) if "google:" in each
    )
    told = scenario.Scenario.model_validate(yaml.safe_load(block)).google
    assert told.denied and told.troubles and told.channels
