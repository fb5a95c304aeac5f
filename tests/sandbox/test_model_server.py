"""What stands for a vLLM server in the sandbox: to a client it is one, down to its errors and its metrics."""

import asyncio
import dataclasses
import json
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientError, ClientSession, ClientTimeout, UnixConnector
from prometheus_client.parser import text_string_to_metric_families

from sandbox.models.arguments import serve_arguments, words_behind
from sandbox.models.behaviour import Behaviour, UnknownBehaviour
from sandbox.models.servers import Servers, ServerSpec

MODEL = "google/gemma-3-1b-it"
SERVE = ("vllm", "serve")
CHAT = {"model": MODEL, "messages": [{"role": "user", "content": "What is Kubernetes?"}]}

# Those that autoscalers, gateways and dashboards read.
METRICS = {
    "vllm:num_requests_running",
    "vllm:num_requests_waiting",
    "vllm:kv_cache_usage_perc",
    "vllm:num_preemptions_total",
    "vllm:prompt_tokens_total",
    "vllm:generation_tokens_total",
    "vllm:prefix_cache_queries_total",
    "vllm:prefix_cache_hits_total",
    "vllm:time_to_first_token_seconds_bucket",
    "vllm:inter_token_latency_seconds_bucket",
    "vllm:e2e_request_latency_seconds_bucket",
    "vllm:request_queue_time_seconds_bucket",
    "vllm:iteration_tokens_total_count",
    "vllm:request_success_total",
    "vllm:cache_config_info",
    "vllm:lora_requests_info",
}


def test_what_a_command_line_says_of_the_server() -> None:
    names = ["--served-model-name", "gemma", "small"]
    adapters = ["--enable-lora", "--lora-modules", "sql=org/sql", '{"name": "poems", "path": "org/poems"}']
    arguments = serve_arguments([MODEL, "--port", "8080", *names, "--max_model_len=4096", *adapters])
    assert (arguments.model, arguments.served_names) == (MODEL, ("gemma", "small"))
    assert (arguments.port, arguments.max_model_len, arguments.headless) == (8080, 4096, False)
    assert arguments.shutdown_timeout == 0
    assert arguments.adapters == ("sql", "poems")


def test_a_program_that_becomes_the_server_in_the_end_counts_as_it() -> None:
    words = ["python3", "-c", "...", "leader", "6379", "vllm", "serve", MODEL]
    assert words_behind(SERVE, words) == [MODEL]


def test_a_headless_worker_and_other_programs_serve_nothing() -> None:
    assert serve_arguments([MODEL, "--node-rank", "$(LWS_WORKER_INDEX)", "--headless"]).headless
    assert words_behind(SERVE, ["/bin/sh", "-c", "vllm serve"]) is None
    assert words_behind(SERVE, ["vllm", "bench", "serve"]) is None


def test_the_model_is_the_first_word_or_a_flag() -> None:
    assert serve_arguments([MODEL]).model == serve_arguments(["--model", MODEL]).model == MODEL


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", Behaviour()),
        ("slow-start=20s", Behaviour(slow_start=20.0)),
        ("slow-start=0.5s, stall", Behaviour(slow_start=0.5, stall=True)),
        ("slow-tokens=0.2s", Behaviour(slow_tokens=0.2)),
        ("first-token=0.0188s,slow-tokens=0.0048s", Behaviour(slow_tokens=0.0048, first_token=0.0188)),
        ("fail", Behaviour(fail=True)),
    ],
)
def test_a_behaviour_is_what_its_words_say(text: str, expected: Behaviour) -> None:
    assert Behaviour.parse(text) == expected


def test_an_unknown_behaviour_is_refused_with_those_there_are() -> None:
    with pytest.raises(UnknownBehaviour, match="'slow-start=20' is no behaviour; write slow-start=20s, slow-tokens"):
        Behaviour.parse("slow-start=20")


class Client:
    """Talks to one server at its socket."""

    def __init__(self, session: ClientSession) -> None:
        self._session = session

    async def get(self, path: str) -> tuple[int, str]:
        async with self._session.get(f"http://server{path}") as answer:
            return answer.status, await answer.text()

    async def post(self, path: str, body: Any) -> tuple[int, Any]:
        async with self._session.post(f"http://server{path}", json=body) as answer:
            return answer.status, await answer.json()

    async def events(self, path: str, body: Any) -> list[str]:
        async with self._session.post(f"http://server{path}", json={**body, "stream": True}) as answer:
            assert answer.content_type == "text/event-stream"
            text = await answer.text()
        return [line.removeprefix("data: ") for line in text.split("\n\n") if line]

    async def samples(self) -> dict[str, float]:
        """The sum of each metric's samples."""
        _, text = await self.get("/metrics")
        found: dict[str, float] = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                found[sample.name] = found.get(sample.name, 0.0) + sample.value
        return found


@asynccontextmanager
async def serving(folder: Path, behaviour: str = "", *flags: str) -> AsyncGenerator[Client]:
    socket = str(folder / "server.sock")
    spec = ServerSpec("pod-0", socket, (MODEL, *flags), "0.33.0", behaviour, started=0.0)
    servers = Servers()
    await servers.set([spec])
    try:
        async with ClientSession(connector=UnixConnector(socket), timeout=ClientTimeout(10)) as session:
            yield Client(session)
    finally:
        await servers.set([])


def run(folder: Path, talk: Callable[[Client], Awaitable[None]], behaviour: str = "", *flags: str) -> None:
    async def main() -> None:
        async with serving(folder, behaviour, *flags) as client:
            await talk(client)

    asyncio.run(main())


def test_it_tells_its_models_version_and_load(tmp_path: Path) -> None:
    async def talk(client: Client) -> None:
        _, models = await client.get("/v1/models")
        cards = json.loads(models)["data"]
        assert [(card["id"], card["root"], card["parent"], card["max_model_len"]) for card in cards] == [
            ("gemma", MODEL, None, 8192),
            ("sql", MODEL, "gemma", 8192),
        ]
        assert await client.get("/health") == (200, "")
        assert json.loads((await client.get("/version"))[1]) == {"version": "0.33.0", "simulated": True}
        assert json.loads((await client.get("/load"))[1]) == {"server_load": 0}

    flags = ("--served-model-name", "gemma", "--lora-modules", "sql=org/sql", "--max-model-len", "8192")
    run(tmp_path, talk, "", *flags)


def test_chat_and_completions_generate_what_they_count(tmp_path: Path) -> None:
    async def talk(client: Client) -> None:
        status, chat = await client.post("/v1/chat/completions", CHAT)
        choice = chat["choices"][0]
        assert (status, chat["object"], choice["finish_reason"]) == (200, "chat.completion", "stop")
        assert choice["message"]["role"] == "assistant" and MODEL in choice["message"]["content"]
        status, completion = await client.post(
            "/v1/completions", {"model": MODEL, "prompt": "one two three", "max_tokens": 1}
        )
        assert (status, completion["object"]) == (200, "text_completion")
        assert completion["choices"][0]["text"] == "This"
        assert completion["choices"][0]["finish_reason"] == "length"
        assert completion["usage"] == {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4}

    run(tmp_path, talk)


def test_it_goes_on_to_the_last_token_where_a_request_ignores_the_end(tmp_path: Path) -> None:
    async def talk(client: Client) -> None:
        asked = {"model": MODEL, "prompt": "one two", "max_tokens": 60}
        _, ended = await client.post("/v1/completions", asked)
        assert ended["choices"][0]["finish_reason"] == "stop"
        _, whole = await client.post("/v1/completions", {**asked, "ignore_eos": True})
        assert whole["choices"][0]["finish_reason"] == "length"
        assert whole["usage"]["completion_tokens"] == len(whole["choices"][0]["text"].split()) == 60

    run(tmp_path, talk)


def test_a_stream_says_the_same_word_by_word(tmp_path: Path) -> None:
    async def talk(client: Client) -> None:
        _, whole = await client.post("/v1/chat/completions", CHAT)
        *events, done = await client.events("/v1/chat/completions", {**CHAT, "stream_options": {"include_usage": True}})
        assert done == "[DONE]"
        *chunks, usage = [json.loads(event) for event in events]
        text = "".join(chunk["choices"][0]["delta"]["content"] for chunk in chunks)
        assert text == whole["choices"][0]["message"]["content"]
        assert chunks[-1]["choices"][0]["finish_reason"] == "stop"
        assert usage["usage"] == whole["usage"] and usage["choices"] == []

    run(tmp_path, talk)


@pytest.mark.parametrize(
    ("path", "body", "status", "kind", "message"),
    [
        (
            "/v1/completions",
            {"model": "llama", "prompt": "a"},
            404,
            "NotFoundError",
            "`llama` does not exist.",
        ),
        (
            "/v1/completions",
            {"model": MODEL},
            400,
            "BadRequestError",
            "Either prompt or",
        ),
        ("/v1/chat/completions", {"model": MODEL}, 400, "BadRequestError", "messages: Field required"),
        ("/v1/completions", {"model": MODEL, "prompt": "a", "max_tokens": -1}, 400, "BadRequestError", "at least 1"),
        ("/v1/completions", {"model": MODEL, "prompt": "a", "max_tokens": 16}, 400, "BadRequestError", "is 16 tokens"),
    ],
)
def test_errors_have_the_form_of_vllm(
    tmp_path: Path, path: str, body: dict[str, Any], status: int, kind: str, message: str
) -> None:
    async def talk(client: Client) -> None:
        answered, error = await client.post(path, body)
        assert (answered, error["error"]["code"], error["error"]["type"]) == (status, status, kind)
        assert message in error["error"]["message"]

    run(tmp_path, talk, "", "--max-model-len", "16")


def test_metrics_have_the_names_of_vllm_and_move_with_requests(tmp_path: Path) -> None:
    async def talk(client: Client) -> None:
        before = await client.samples()
        assert before.keys() >= METRICS
        await client.post("/v1/completions", {"model": MODEL, "prompt": "one two", "max_tokens": 4})
        after = await client.samples()
        changed = {name: after[name] - before[name] for name in after if after[name] != before[name]}
        assert changed["vllm:generation_tokens_total"] == 4
        assert changed["vllm:prompt_tokens_total"] == 2
        assert changed["vllm:request_success_total"] == 1
        assert changed["vllm:time_to_first_token_seconds_count"] == 1
        assert changed["vllm:inter_token_latency_seconds_count"] == 3

    run(tmp_path, talk)


def test_a_stalled_server_is_healthy_and_generates_nothing(tmp_path: Path) -> None:
    async def talk(client: Client) -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.post("/v1/chat/completions", CHAT), 0.3)
        request = asyncio.create_task(client.post("/v1/chat/completions", CHAT))
        await asyncio.sleep(0.2)
        assert (await client.get("/health"))[0] == 200
        assert (await client.get("/v1/models"))[0] == 200
        samples = await client.samples()
        assert (samples["vllm:num_requests_running"], samples["vllm:generation_tokens_total"]) == (1, 0)
        request.cancel()

    run(tmp_path, talk, "stall")


def test_a_server_whose_engine_is_dead_says_so_but_for_its_models(tmp_path: Path) -> None:
    async def talk(client: Client) -> None:
        assert (await client.get("/health"))[0] == 503
        assert (await client.get("/v1/models"))[0] == 200
        status, error = await client.post("/v1/chat/completions", CHAT)
        assert (status, error["error"]["type"]) == (500, "InternalServerError")
        events = await client.events("/v1/chat/completions", CHAT)
        assert json.loads(events[0])["error"]["code"] == 500

    run(tmp_path, talk, "fail")


def test_a_slow_start_listens_late_and_then_behaves_as_it_is_told(tmp_path: Path) -> None:
    async def main() -> None:
        servers, socket = Servers(), tmp_path / "server.sock"
        loop = asyncio.get_running_loop()
        started = time.time()
        spec = ServerSpec("pod-0", str(socket), (MODEL,), "0.33.0", "slow-start=0.5s", started)
        await servers.set([spec])
        assert not socket.exists()
        began = loop.time()
        while not socket.exists():
            await asyncio.sleep(0.02)
        assert loop.time() - began > 0.3
        async with ClientSession(connector=UnixConnector(str(socket)), timeout=ClientTimeout(10)) as session:
            client = Client(session)
            assert (await client.get("/health"))[0] == 200
            await servers.set([dataclasses.replace(spec, behaviour="fail")])
            assert (await client.get("/health"))[0] == 503
        await servers.set([])
        assert not socket.exists()

    asyncio.run(main())


def shutdown(folder: Path, tokens: str, *flags: str) -> tuple[list[str], str]:
    """What a streaming request gets that is under way at SIGTERM, and why one that comes after it ends."""

    async def main() -> tuple[list[str], str]:
        servers, socket = Servers(), folder / "server.sock"
        spec = ServerSpec("pod-0", str(socket), (MODEL, *flags), "0.33.0", tokens, started=0.0)
        await servers.set([spec])
        async with ClientSession(connector=UnixConnector(str(socket)), timeout=ClientTimeout(10)) as session:
            client = Client(session)
            begun = asyncio.create_task(client.events("/v1/chat/completions", CHAT))
            await asyncio.sleep(0.2)
            await servers.set([dataclasses.replace(spec, ending=True)])
            late = ""
            if flags:
                _, answer = await client.post("/v1/completions", {"model": MODEL, "prompt": "a"})
                late = answer["choices"][0]["finish_reason"]
            try:
                events = await begun
            except ClientError:
                events = []
        while socket.exists():
            await asyncio.sleep(0.02)
        await servers.set([])
        return events, late

    return asyncio.run(main())


def test_a_server_that_is_told_to_end_finishes_what_it_began_and_begins_nothing(tmp_path: Path) -> None:
    events, late = shutdown(tmp_path, "slow-tokens=0.05s", "--shutdown-timeout", "45")
    assert events[-1] == "[DONE]" and json.loads(events[-2])["choices"][0]["finish_reason"] == "stop"
    assert late == "abort"


@pytest.mark.parametrize("flags", [(), ("--shutdown-timeout", "1")])
def test_a_request_that_outlasts_the_shutdown_timeout_is_cut_off(tmp_path: Path, flags: tuple[str, ...]) -> None:
    events, _ = shutdown(tmp_path, "slow-tokens=1s", *flags)
    assert "[DONE]" not in events
