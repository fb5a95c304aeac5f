"""Checks of the platform's Jobs: each model's smoke test, and the last measurement of each pool's NCCL preflight."""

from collections.abc import Iterator, Mapping
from typing import Any

from verification import parsers
from verification.cluster_checks import condition
from verification.kubectl import Kubectl
from verification.results import Check, CheckFailed, NotObservable

JOB_LABEL = "inference-platform/job"
PREFLIGHT = "preflight"
SMOKE = "smoke"
INSTANCE = "app.kubernetes.io/instance"
TESTED_WITH = "inference-platform/tested-with"
FLOOR = "inference-platform/floor-gbytes-per-second"

# A pod's annotation may say that no GPU took part in its result.
OUTCOME = "sandbox/outcome"
SIMULATED = "simulated"


def job_checks(kubectl: Kubectl, preflights: Mapping[str, str]) -> Iterator[Check]:
    """One check for each existing Job of the platform; for a preflight it also says whether it tested today's
    software."""
    for job in kubectl.items("jobs", "--all-namespaces", f"--selector={JOB_LABEL}"):
        name, kind = job["metadata"]["name"], job["metadata"]["labels"][JOB_LABEL]
        if kind == PREFLIGHT:
            yield name, lambda job=job: bandwidth(kubectl, job)
            yield f"{name} is current", lambda job=job: _is_current(job, preflights)
        elif kind == SMOKE:
            yield name, lambda job=job: _generated(job)


def bandwidth(kubectl: Kubectl, job: dict[str, Any]) -> str:
    """The bandwidth that a preflight measured. Raises CheckFailed, NotObservable."""
    namespace = job["metadata"]["namespace"]
    pods = kubectl.items("pods", f"--namespace={namespace}", f"--selector=job-name={job['metadata']['name']}")
    if not condition(job, "Complete"):
        raise CheckFailed("; ".join(["it has not completed", *_failures(job), *_last_words(pods)]))
    problems: list[str] = []
    for pod in pods:
        if pod["metadata"].get("annotations", {}).get(OUTCOME) == SIMULATED:
            raise NotObservable("its outcome is simulated: no GPU ran, and its log is a recorded one")
        container = pod["spec"]["containers"][0]["name"]
        try:
            log = kubectl.logs(namespace, pod["metadata"]["name"], container)
            result = parsers.nccl_test(log)
        except ValueError as error:
            # Only the first of its pods measures.
            problems.append(f"{pod['metadata']['name']}: {error}")
        else:
            seen = judge(result, job["metadata"]["annotations"][FLOOR])
            return "; ".join([seen, *parsers.preflight_warnings(log)])
    raise NotObservable("; ".join(problems) or "its pods are gone, and their logs with them")


def _is_current(job: dict[str, Any], preflights: Mapping[str, str]) -> str:
    """Whether the preflight tested today's image and installer; if not, it has not failed, but says nothing of
    today."""
    tested = job["metadata"].get("annotations", {}).get(TESTED_WITH, "an unknown image")
    today = preflights.get(job["metadata"]["labels"].get(INSTANCE, ""))
    if tested != today:
        raise NotObservable(f"it ran with {tested}; the stack now has {today or 'none'}, which nobody tried here")
    return f"tested with {tested}"


def judge(result: parsers.NcclTest, floor: str) -> str:
    """The measured bandwidth, compared with the floor, in GB/s. Raises CheckFailed."""
    seen = f"bus bandwidth {result.peak_bus_bandwidth:.1f} GB/s at {result.peak_size / 1024**2:,.0f} MiB"
    if result.wrong:
        raise CheckFailed(f"{seen}; {result.wrong} values came out wrong")
    if result.peak_bus_bandwidth < float(floor):
        raise CheckFailed(f"{seen}, and the floor is {floor} GB/s")
    return f"{seen}, above the floor of {floor} GB/s"


def _generated(job: dict[str, Any]) -> str:
    if not condition(job, "Complete"):
        raise CheckFailed("; ".join(["it has not completed", *_failures(job)]))
    return "completed: the model generated a token after its last change"


def _last_words(pods: list[dict[str, Any]]) -> list[str]:
    """The last messages of containers that failed."""
    statuses: list[dict[str, Any]] = [each for pod in pods for each in pod["status"].get("containerStatuses", [])]
    ended: list[dict[str, Any]] = [each.get("state", {}).get("terminated") or {} for each in statuses]
    return [
        each["message"].strip().splitlines()[-1]
        for each in ended
        if each.get("exitCode") and each.get("message", "").strip()
    ]


def _failures(job: dict[str, Any]) -> list[str]:
    conditions: list[dict[str, Any]] = job.get("status", {}).get("conditions", [])
    return [each.get("message", "") for each in conditions if each["type"] == "Failed"]
