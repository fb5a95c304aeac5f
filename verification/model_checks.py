"""Checks of one model: its pods and their group, the API as clients use it, and what its GPUs and its engine report."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from verification import parsers
from verification.cluster_checks import condition
from verification.expectations import ExpectedModel
from verification.kubectl import Kubectl, NotFound, Proxy, ServiceAddress
from verification.results import Check, CheckFailed, NotObservable
from verification.rows import VerifyRow

LWS = "leaderworkersets.leaderworkerset.x-k8s.io"
INSTANCE_LABEL = "app.kubernetes.io/instance"
LWS_NAME_LABEL = "leaderworkerset.sigs.k8s.io/name"
WORKER_INDEX_LABEL = "leaderworkerset.sigs.k8s.io/worker-index"
TOKENS = 16
PROMPT = "Say which model you are."

METRICS = (
    "vllm:num_requests_running",
    "vllm:num_requests_waiting",
    "vllm:kv_cache_usage_perc",
    "vllm:prompt_tokens",
    "vllm:generation_tokens",
    "vllm:time_to_first_token_seconds",
    "vllm:e2e_request_latency_seconds",
)


@dataclass(frozen=True)
class _Workload:
    """A Deployment or a LeaderWorkerSet, and the selector of its pods."""

    kind: str
    resource: dict[str, Any]
    selector: str


class ModelChecks:
    """The checks of one model. `timeout`: the seconds for one answer."""

    def __init__(self, kubectl: Kubectl, proxy: Proxy, model: ExpectedModel, timeout: float) -> None:
        self._kubectl = kubectl
        self._proxy = proxy
        self._model = model
        self._timeout = timeout

    def checks(self) -> Iterator[Check]:
        yield VerifyRow.PODS, self._pods_ready
        if self._model.nodes > 1:
            yield VerifyRow.GROUP, self._group
        yield VerifyRow.MODELS, self._models
        yield VerifyRow.CHAT, self._chat
        yield VerifyRow.COMPLETIONS, self._completions
        yield VerifyRow.METRICS, self._metrics
        yield VerifyRow.NVIDIA_SMI, self._gpus
        yield VerifyRow.DRIVER, self._driver
        yield VerifyRow.ENGINE_LOG, self._engine_log
        if self._model.nodes > 1:
            yield VerifyRow.NCCL_NETWORK, self._nccl_network
            yield VerifyRow.NCCL_VERSION, self._nccl_version
            yield VerifyRow.GPUDIRECT, self._gpudirect

    @cached_property
    def _workload(self) -> _Workload:
        """The model's workload. Raises CheckFailed if there is none."""
        where = f"--namespace={self._model.namespace}"
        labelled = f"--selector={INSTANCE_LABEL}={self._model.name}"
        kind = LWS if self._model.nodes > 1 else "deployments"
        found = self._kubectl.items(kind, where, labelled)
        if not found:
            raise NotFound(f"there is no {kind.partition('.')[0]} of {self._model.name} in {self._model.namespace}")
        name = found[0]["metadata"]["name"]
        if kind == LWS:
            return _Workload(kind, found[0], f"{LWS_NAME_LABEL}={name}")
        labels: dict[str, str] = found[0]["spec"]["selector"]["matchLabels"]
        return _Workload(kind, found[0], ",".join(f"{key}={value}" for key, value in labels.items()))

    @cached_property
    def _pods(self) -> list[dict[str, Any]]:
        where = f"--namespace={self._model.namespace}"
        pods = self._kubectl.items("pods", where, f"--selector={self._workload.selector}")
        return [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]

    @property
    def _service(self) -> ServiceAddress:
        return ServiceAddress(self._model.namespace, self._model.name, self._model.port)

    def _pods_ready(self) -> str:
        ready = sum(condition(pod, "Ready") for pod in self._pods)
        restarts = sum(
            status.get("restartCount", 0) for pod in self._pods for status in pod["status"].get("containerStatuses", [])
        )
        seen = f"{ready} of {self._model.pods} are Ready" + (f", after {restarts} restarts" if restarts else "")
        if ready < self._model.pods:
            raise CheckFailed("; ".join([seen, *why_not_ready(self._pods)]))
        return seen

    def _group(self) -> str:
        group = self._workload.resource
        spec, status = group["spec"], group.get("status", {})
        size = spec["leaderWorkerTemplate"]["size"]
        seen = (
            f"{status.get('readyReplicas', 0)} of {spec['replicas']} groups of {size} are ready, "
            f"{status.get('updatedReplicas', 0)} as last written"
        )
        if not condition(group, "Available") or size != self._model.nodes or spec["replicas"] != self._model.replicas:
            raise CheckFailed(f"{seen}; wanted are {self._model.replicas} of {self._model.nodes}")
        if condition(group, "UpdateInProgress"):
            raise CheckFailed(f"{seen}; an update is in progress")
        return f"Available: {seen}"

    def _models(self) -> str:
        answer = self._proxy.json(self._service, "/v1/models", self._timeout)
        names = [str(card["id"]) for card in answer["data"]]
        if self._model.served_name not in names:
            raise CheckFailed(f"{self._model.served_name} is not among {', '.join(names) or 'no models'}")
        return ", ".join(names)

    def _chat(self) -> str:
        body = {
            "model": self._model.served_name,
            "messages": [{"role": "user", "content": PROMPT}],
            "max_tokens": TOKENS,
            "temperature": 0,
        }
        answer = self._proxy.json(self._service, "/v1/chat/completions", self._timeout, body)
        message = answer["choices"][0]["message"]
        # A model that reasons first may have said nothing else yet.
        return _generated(
            answer, message.get("content") or message.get("reasoning_content") or message.get("reasoning")
        )

    def _completions(self) -> str:
        body = {"model": self._model.served_name, "prompt": PROMPT, "max_tokens": TOKENS, "temperature": 0}
        answer = self._proxy.json(self._service, "/v1/completions", self._timeout, body)
        return _generated(answer, answer["choices"][0]["text"])

    def _metrics(self) -> str:
        text = self._proxy.text(self._service, "/metrics", self._timeout)
        try:
            families = {family.name: family for family in text_string_to_metric_families(text)}
        except ValueError as error:
            raise CheckFailed(f"not in Prometheus' text format: {error}") from error
        missing = [name for name in METRICS if name not in families]
        if missing:
            raise CheckFailed(f"missing: {', '.join(missing)}")
        generated = sum(
            sample.value for sample in families["vllm:generation_tokens"].samples if sample.name.endswith("_total")
        )
        return f"{len(families)} families; the server that was asked has generated {generated:.0f} tokens"

    @cached_property
    def _smi(self) -> list[parsers.Gpu]:
        """The GPUs as nvidia-smi lists them. Raises CheckFailed, NotObservable."""
        text = self._kubectl.execute(*_place(self._leader()), *parsers.NVIDIA_SMI)
        try:
            return parsers.gpus(text)
        except ValueError as error:
            raise CheckFailed(str(error)) from error

    def _gpus(self) -> str:
        found = self._smi
        if len(found) != self._model.gpus_per_node:
            raise CheckFailed(f"{len(found)} GPUs instead of {self._model.gpus_per_node}")
        names = ", ".join(sorted({gpu.name for gpu in found}))
        used = [round(100 * gpu.memory_used / gpu.memory_total) for gpu in found]
        seen = f"{len(found)} x {names}, driver {found[0].driver}, memory {min(used)} to {max(used)} % used"
        if min(used) == 0:
            raise CheckFailed(f"{seen}: a GPU holds nothing")
        return seen

    def _driver(self) -> str:
        return judge_driver({gpu.driver for gpu in self._smi}, self._model)

    def _engine_log(self) -> str:
        log = parsers.engine_log(self._log_of(self._leader()))
        if not log.has_start:
            raise NotObservable("the log no longer has the engine's start, where it says what it does")
        shape = (log.tensor_parallel, log.pipeline_parallel)
        if shape != (self._model.tensor_parallel, self._model.pipeline_parallel):
            raise CheckFailed(
                f"it runs with tensor and pipeline parallel {shape[0]} and {shape[1]}, planned are "
                f"{self._model.tensor_parallel} and {self._model.pipeline_parallel}"
            )
        if log.kv_cache_tokens is None:
            raise CheckFailed("it does not say how large its KV cache is, so it has not started to the end")
        return (
            f"TP {shape[0]}, PP {shape[1]}, KV cache of {log.kv_cache_tokens:,} tokens, "
            f"{log.concurrency} requests of {log.max_model_len:,} tokens at once"
        )

    def _nccl_network(self) -> str:
        log = self._nccl_log()
        wanted = self._environment().get("NCCL_NET")
        seen = ", ".join(sorted(log.networks))
        if "Socket" in log.networks or (wanted and log.networks != frozenset([wanted])):
            raise CheckFailed(f"NCCL uses {seen}" + (f" instead of {wanted}" if wanted else ": plain TCP"))
        return f"NCCL uses {seen}"

    def _nccl_version(self) -> str:
        return judge_nccl(parsers.nccl_version(self._log_of(self._leader())), self._model)

    def _gpudirect(self) -> str:
        log = self._nccl_log()
        seen = f"{log.gpudirect_channels} of {log.net_channels} connections to other nodes use GPUDirect RDMA"
        if log.net_channels == 0:
            raise NotObservable("the log has no lines about connections to other nodes")
        if self._environment().get("NCCL_NET") == "gIB" and log.gpudirect_channels < log.net_channels:
            raise CheckFailed(seen)
        return seen

    def _nccl_log(self) -> parsers.NcclLog:
        """What NCCL logged. Raises NotObservable if it says nothing of its network."""
        log = parsers.nccl_log(self._log_of(self._leader()))
        if not log.networks:
            level = self._environment().get("NCCL_DEBUG", "unset")
            raise NotObservable(f"NCCL says nothing of its network: NCCL_DEBUG is {level}, INFO would show it")
        return log

    def _log_of(self, pod: dict[str, Any]) -> str:
        return self._kubectl.logs(*_place(pod))

    def _environment(self) -> dict[str, str]:
        container = self._leader()["spec"]["containers"][0]
        return {variable["name"]: variable.get("value", "") for variable in container.get("env", [])}

    def _leader(self) -> dict[str, Any]:
        """A pod that answers requests; in a group the first one."""
        for pod in self._pods:
            if pod["metadata"].get("labels", {}).get(WORKER_INDEX_LABEL, "0") == "0":
                return pod
        raise CheckFailed("there is no pod")


def judge_driver(drivers: set[str], model: ExpectedModel) -> str:
    """Compares the drivers with what the CUDA of the model's vLLM needs. Raises CheckFailed."""
    branches = sorted(int(driver.partition(".")[0]) for driver in drivers)
    seen = f"{', '.join(sorted(drivers))}; vLLM {model.vllm_version} needs R{model.driver_branch_floor}"
    if not branches or branches[0] < model.driver_branch_floor:
        if branches and model.cuda_compatibility:
            return f"{seen}, and CUDA's compatibility libraries bridge the gap"
        raise CheckFailed(seen)
    return seen


def judge_nccl(version: str | None, model: ExpectedModel) -> str:
    """Compares NCCL's version with the one recorded for the release. Raises CheckFailed, NotObservable."""
    if version is None:
        raise NotObservable("the log does not say: NCCL_DEBUG=VERSION would have it said")
    if version != model.nccl:
        raise CheckFailed(f"{version}, where vLLM {model.vllm_version} is recorded with {model.nccl}")
    return f"{version}, as vLLM {model.vllm_version} is recorded"


def _place(pod: dict[str, Any]) -> tuple[str, str, str]:
    return pod["metadata"]["namespace"], pod["metadata"]["name"], pod["spec"]["containers"][0]["name"]


def _generated(answer: dict[str, Any], text: str | None) -> str:
    tokens = answer.get("usage", {}).get("completion_tokens", 0)
    if not text or not tokens:
        raise CheckFailed("it answered, but generated nothing")
    start = " ".join(text.split())
    return f"{tokens} tokens: {start[:60]}{'…' if len(start) > 60 else ''}"


_NOTHING_NEW = ("PodInitializing", "ContainerCreating", "CrashLoopBackOff")
"""Reasons why a container waits that say no more than that it does not run."""


def why_not_ready(pods: list[dict[str, Any]]) -> list[str]:
    """The reasons for which pods are not Ready, each once."""
    found: dict[str, None] = {}
    for pod in pods:
        if condition(pod, "Ready"):
            continue
        for each in pod["status"].get("conditions", []):
            if each["status"] == "False" and each.get("message"):
                found[each["message"]] = None
        said: dict[str, Any] = pod["status"]
        for status in [*said.get("initContainerStatuses", []), *said.get("containerStatuses", [])]:
            found.update(dict.fromkeys(_of_container(status)))
    return list(found)


def _of_container(status: dict[str, Any]) -> Iterator[str]:
    """What a container said when it last failed, and why it waits."""
    state: dict[str, Any] = status.get("state", {})
    waiting: dict[str, str] = state.get("waiting", {})
    ended: dict[str, Any] = state.get("terminated") or status.get("lastState", {}).get("terminated") or {}
    if ended.get("exitCode"):
        lines = str(ended.get("message", "")).strip().splitlines()
        yield f"{status['name']}: {lines[-1] if lines else ended.get('reason')}"
    if waiting and waiting.get("reason") not in _NOTHING_NEW:
        yield f"{status['name']}: {waiting.get('reason')} {waiting.get('message', '')}".strip()
