"""One model server's HTTP interface: the endpoints, answers and errors of vLLM's OpenAI-compatible server."""

import asyncio
import contextlib
import json
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, cast

from aiohttp import web

from sandbox.models.arguments import ServeArguments
from sandbox.models.behaviour import Behaviour
from sandbox.models.metrics import Metrics

# vLLM's default for completions; a chat continues until the model ends it.
_COMPLETION_TOKENS = 16
_CHAT_TOKENS = 64
_TOKEN_SECONDS = 0.002

Json = dict[str, Any]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class RequestError(Exception):
    """A request is refused; the answer has vLLM's form of an error."""

    def __init__(self, status: HTTPStatus, kind: str, message: str, parameter: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"error": {"message": message, "type": kind, "param": parameter, "code": int(status)}}


class OpenAiServer:
    """Answers requests with words that say where they come from. `behaviour` may change while it serves."""

    def __init__(self, arguments: ServeArguments, version: str, behaviour: Behaviour) -> None:
        self.behaviour = behaviour
        self._arguments = arguments
        self._version = version
        self._created = int(time.time())
        self._load = 0
        self._ending = False
        self._metrics = Metrics(arguments.served_names[0])

    def application(self) -> web.Application:
        application = web.Application(middlewares=[_errors])
        application.add_routes(
            [
                web.get("/health", self._health),
                web.get("/ping", self._health),
                web.get("/load", self._server_load),
                web.get("/version", self._show_version),
                web.get("/metrics", self._show_metrics),
                web.get("/v1/models", self._models),
                web.post("/v1/completions", self._completions),
                web.post("/v1/chat/completions", self._chat),
            ]
        )
        return application

    async def end(self) -> None:
        """Generates nothing for requests from now on; returns once all running requests are done."""
        self._ending = True
        while self._load:
            await asyncio.sleep(_TOKEN_SECONDS)

    async def _health(self, request: web.Request) -> web.Response:
        return web.Response(status=503 if self.behaviour.fail else 200)

    async def _server_load(self, request: web.Request) -> web.Response:
        return web.json_response({"server_load": self._load})

    async def _show_version(self, request: web.Request) -> web.Response:
        # The second key is not vLLM's: whoever times what it answers must not take it for a GPU.
        return web.json_response({"version": self._version, "simulated": True})

    async def _show_metrics(self, request: web.Request) -> web.Response:
        return web.Response(body=self._metrics.text(), content_type="text/plain", charset="utf-8")

    async def _models(self, request: web.Request) -> web.Response:
        base = self._arguments.served_names[0]
        cards = [self._card(name, None) for name in self._arguments.served_names]
        cards += [self._card(name, base) for name in self._arguments.adapters]
        return web.json_response({"object": "list", "data": cards})

    def _card(self, name: str, parent: str | None) -> Json:
        return {
            "id": name,
            "object": "model",
            "created": self._created,
            "owned_by": "vllm",
            "root": self._arguments.model,
            "parent": parent,
            "max_model_len": self._arguments.max_model_len,
        }

    async def _completions(self, request: web.Request) -> web.StreamResponse:
        body = await _body(request)
        prompt = body.get("prompt")
        if prompt is None:
            raise RequestError(
                HTTPStatus.BAD_REQUEST, "BadRequestError", "Either prompt or prompt_embeds must be provided.", "prompt"
            )
        text = prompt if isinstance(prompt, str) else json.dumps(prompt)
        shape = _Shape("cmpl", "text_completion", "text_completion", lambda word, _: {"text": word})
        return await self._generate(request, body, text, _COMPLETION_TOKENS, shape)

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        body = await _body(request)
        messages = body.get("messages")
        if not isinstance(messages, list) or not messages:
            raise RequestError(HTTPStatus.BAD_REQUEST, "BadRequestError", "messages: Field required", "messages")
        text = " ".join(str(cast(Json, message).get("content")) for message in cast(list[Any], messages))
        shape = _Shape("chatcmpl", "chat.completion", "chat.completion.chunk", _chat_piece)
        return await self._generate(request, body, text, _CHAT_TOKENS, shape)

    async def _generate(
        self, request: web.Request, body: Json, prompt: str, default_tokens: int, shape: "_Shape"
    ) -> web.StreamResponse:
        model = body.get("model") or self._arguments.served_names[0]
        if model not in (*self._arguments.served_names, *self._arguments.adapters):
            message = f"The model `{model}` does not exist."
            raise RequestError(HTTPStatus.NOT_FOUND, "NotFoundError", message, "model")
        # A word counts as one token; all that matters is that the counts agree with each other.
        prompt_tokens = max(1, len(prompt.split()))
        wanted = body.get("max_completion_tokens") or body.get("max_tokens") or default_tokens
        self._check_length(prompt_tokens, wanted)
        # vLLM accepts no new requests into its engine while it shuts down.
        words = [] if self._ending else list(_words(str(model), int(wanted), goes_on=body.get("ignore_eos") is True))
        reason = "abort" if self._ending else "length" if len(words) == wanted else "stop"
        answer = shape.answer(str(model))
        usage = {
            "prompt_tokens": prompt_tokens,
            "total_tokens": prompt_tokens + len(words),
            "completion_tokens": len(words),
        }
        with self._counted():
            tokens = self._tokens(words, prompt_tokens, reason)
            if body.get("stream"):
                options: Json = body.get("stream_options") or {}
                return await _stream(request, _Reply(answer, shape, reason, usage if options else None), tokens)
            text = "".join([word async for word in tokens])
        choice = {"index": 0, **shape.piece(text, False), "logprobs": None, "finish_reason": reason}
        return web.json_response({**answer, "object": shape.kind, "choices": [choice], "usage": usage})

    def _check_length(self, prompt_tokens: int, wanted: Any) -> None:
        if not isinstance(wanted, int) or wanted < 1:
            message = f"max_tokens must be at least 1, got {wanted}."
            raise RequestError(HTTPStatus.BAD_REQUEST, "BadRequestError", message, "max_tokens")
        longest = self._arguments.max_model_len
        if longest is not None and prompt_tokens + wanted > longest:
            message = (
                f"This model's maximum context length is {longest} tokens. However, you requested {wanted} output "
                f"tokens and your prompt contains {prompt_tokens} input tokens. Please reduce one of them."
            )
            raise RequestError(HTTPStatus.BAD_REQUEST, "BadRequestError", message, "input_tokens")

    @contextlib.contextmanager
    def _counted(self) -> Generator[None]:
        self._load += 1
        self._metrics.running.inc()
        try:
            yield
        finally:
            self._load -= 1
            self._metrics.running.dec()

    async def _tokens(self, words: list[str], prompt_tokens: int, reason: str) -> AsyncIterator[str]:
        if self.behaviour.fail:
            message = "The server had an error while processing your request."
            raise RequestError(HTTPStatus.INTERNAL_SERVER_ERROR, "InternalServerError", message)
        if self.behaviour.stall:
            await asyncio.Event().wait()
        metrics, started = self._metrics, time.monotonic()
        metrics.queue_time.observe(0)
        metrics.prompt_tokens.inc(prompt_tokens)
        metrics.prefix_queries.inc(prompt_tokens)
        before = started
        for index, word in enumerate(words):
            await asyncio.sleep(self._pace(first=index == 0))
            now = time.monotonic()
            (metrics.next_token if index else metrics.first_token).observe(now - before)
            metrics.iteration_tokens.observe(1 if index else 1 + prompt_tokens)
            metrics.generation_tokens.inc()
            before = now
            yield word
        metrics.whole_request.observe(before - started)
        metrics.finished(reason)

    def _pace(self, *, first: bool) -> float:
        """Seconds before the next token."""
        each = self.behaviour.slow_tokens or _TOKEN_SECONDS
        return (self.behaviour.first_token or each) if first else each


class _Shape:
    """The differences between the answers to a completion and to a chat."""

    def __init__(self, prefix: str, kind: str, chunk_kind: str, piece: Callable[[str, bool], Json]) -> None:
        self._prefix = prefix
        self.kind = kind
        self.chunk_kind = chunk_kind
        self.piece = piece

    def answer(self, model: str) -> Json:
        return {"id": f"{self._prefix}-{uuid.uuid4().hex}", "created": int(time.time()), "model": model}


def _chat_piece(text: str, streamed: bool) -> Json:
    return {"delta": {"content": text}} if streamed else {"message": {"role": "assistant", "content": text}}


def _words(model: str, count: int, *, goes_on: bool) -> Iterator[str]:
    """At most `count`. The sentence ends the answer, unless the request has vLLM's `ignore_eos`."""
    sentence = f"This is the sandbox's answer for {model}: no GPU has computed it, and it always says the same."
    words = sentence.split()
    for index in range(count if goes_on else min(count, len(words))):
        yield words[index] if index == 0 else f" {words[index % len(words)]}"


@dataclass(frozen=True)
class _Reply:
    """All of a streamed answer but its tokens. `usage` are the counts of tokens; None: they were not asked for."""

    answer: Json
    shape: _Shape
    reason: str
    usage: Json | None

    def chunk(self, text: str, reason: str | None) -> str:
        choice = {"index": 0, **self.shape.piece(text, True), "logprobs": None, "finish_reason": reason}
        return self._event([choice])

    def counts(self) -> Iterator[str]:
        if self.usage is not None:
            yield self._event([], usage=self.usage)

    def _event(self, choices: list[Json], **more: Json) -> str:
        return json.dumps({**self.answer, "object": self.shape.chunk_kind, "choices": choices, **more})


async def _stream(request: web.Request, reply: _Reply, tokens: AsyncIterator[str]) -> web.StreamResponse:
    """Sends server-sent events. As with vLLM, a late error is an event too, since the status has been sent."""
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream; charset=utf-8"})
    await response.prepare(request)

    async def send(data: str) -> None:
        await response.write(f"data: {data}\n\n".encode())

    try:
        async for word in tokens:
            await send(reply.chunk(word, None))
        await send(reply.chunk("", reply.reason))
        for counts in reply.counts():
            await send(counts)
    except RequestError as error:
        await send(json.dumps(error.body))
    await send("[DONE]")
    return response


async def _body(request: web.Request) -> Json:
    try:
        body: Any = await request.json()
    except ValueError as error:
        raise RequestError(HTTPStatus.BAD_REQUEST, "Bad Request", f"Invalid JSON: {error}") from error
    if not isinstance(body, dict):
        raise RequestError(HTTPStatus.BAD_REQUEST, "Bad Request", "the body must be a JSON object")
    return cast(Json, body)


@web.middleware
async def _errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except RequestError as error:
        return web.json_response(error.body, status=error.status)
    except web.HTTPException as error:
        return web.json_response({"detail": error.reason}, status=error.status)
