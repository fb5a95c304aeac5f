"""A model server's metrics, under the names that vLLM 0.33 gives them (vllm/v1/metrics/loggers.py)."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_LATENCIES = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_TOKENS = (1, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192)


class Metrics:
    """The metrics of one server."""

    def __init__(self, model_name: str) -> None:
        self._registry = CollectorRegistry()
        self._model_name = model_name
        self.running = self._gauge("num_requests_running", "Number of requests in model execution batches.")
        self.waiting = self._gauge("num_requests_waiting", "Number of requests waiting to be processed.")
        self._gauge("kv_cache_usage_perc", "KV-cache usage. 1 means 100 percent usage.")
        self._counter("num_preemptions", "Cumulative number of preemption from the engine.")
        self.prefix_queries = self._counter("prefix_cache_queries", "Prefix cache queries, in terms of tokens.")
        self._counter("prefix_cache_hits", "Prefix cache hits, in terms of number of cached tokens.")
        self.prompt_tokens = self._counter("prompt_tokens", "Number of prefill tokens processed.")
        self.generation_tokens = self._counter("generation_tokens", "Number of generation tokens processed.")
        self.iteration_tokens = self._histogram("iteration_tokens_total", "Number of tokens per engine_step.", _TOKENS)
        self.first_token = self._histogram("time_to_first_token_seconds", "Time to first token in seconds.")
        self.next_token = self._histogram("inter_token_latency_seconds", "Inter-token latency in seconds.")
        self.whole_request = self._histogram("e2e_request_latency_seconds", "End to end latency in seconds.")
        self.queue_time = self._histogram("request_queue_time_seconds", "Time spent in WAITING phase for request.")
        self._success = Counter(
            "vllm:request_success",
            "Count of successfully processed requests.",
            ("model_name", "engine", "finished_reason"),
            registry=self._registry,
        )
        for reason in ("stop", "length", "abort", "error"):
            self._success.labels(model_name, "0", reason)
        self._information("cache_config_info", {"block_size": "16", "num_gpu_blocks": "0", "cache_dtype": "auto"})
        self._information(
            "lora_requests_info", {"max_lora": "0", "waiting_lora_adapters": "", "running_lora_adapters": ""}
        )

    def finished(self, reason: str) -> None:
        self._success.labels(self._model_name, "0", reason).inc()

    def text(self) -> bytes:
        """The metrics in Prometheus' text format."""
        return generate_latest(self._registry)

    def _gauge(self, name: str, text: str) -> Gauge:
        gauge = Gauge(f"vllm:{name}", text, ("model_name", "engine"), registry=self._registry)
        return gauge.labels(self._model_name, "0")

    def _counter(self, name: str, text: str) -> Counter:
        counter = Counter(f"vllm:{name}", text, ("model_name", "engine"), registry=self._registry)
        return counter.labels(self._model_name, "0")

    def _histogram(self, name: str, text: str, buckets: tuple[float, ...] = _LATENCIES) -> Histogram:
        labels = ("model_name", "engine")
        histogram = Histogram(f"vllm:{name}", text, labels, registry=self._registry, buckets=buckets)
        return histogram.labels(self._model_name, "0")

    def _information(self, name: str, labels: dict[str, str]) -> None:
        gauge = Gauge(f"vllm:{name}", "Set to 1; the labels tell.", [*labels, "engine"], registry=self._registry)
        gauge.labels(**labels, engine="0").set(1)
