"""Checks at Hugging Face: the token, the models and their revisions, and access to gated models."""

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from config.models import ModelSettings
from verification.doctor.look import Look, Question
from verification.doctor.rows import Row
from verification.doctor.web import Answer
from verification.results import CheckFailed, NotObservable

ADDRESS = "https://huggingface.co"
_NO_TOKEN = "no token: set HF_TOKEN to the one that the servers will have"
Checkpoint = tuple[str, str]
"""A repository and its revision."""


class Hub:
    """Hugging Face's hub, for one run. `token` is sent to the hub's own address and nowhere else."""

    def __init__(self, look: Look, environment: Mapping[str, str]) -> None:
        self._look = look
        self._address = (environment.get("HF_ENDPOINT") or ADDRESS).rstrip("/")
        self._token = environment.get("HF_TOKEN", "").strip() or None
        look.web.hidden.add(self._token)
        self._safe = self._address.startswith(("https://", "http://127.0.0.1", "http://localhost"))

    def questions(self) -> Iterator[Question]:
        yield Question("Hugging Face", Row.TOKEN, self._whoami)
        for checkpoint in checkpoints(self._look.settings.models):
            name = checkpoint[0] if checkpoint[1] == "main" else f"{checkpoint[0]}@{checkpoint[1]}"
            yield Question(name, Row.MODEL, lambda checkpoint=checkpoint: self._model(checkpoint))
            yield Question(name, Row.LICENCE, lambda checkpoint=checkpoint: self._licence(checkpoint))

    def _whoami(self) -> str:
        if self._token is None:
            raise NotObservable(_NO_TOKEN)
        if not self._safe:
            raise CheckFailed("HF_ENDPOINT is no https address, and the token would be seen on its way: unset it")
        answer: Answer = self._ask_once("GET", "/api/whoami-v2")
        if answer.status in (401, 403):
            raise CheckFailed("Hugging Face does not take it: make another at https://huggingface.co/settings/tokens")
        return f"of the account {_good(answer)['name']}"

    def _model(self, checkpoint: Checkpoint) -> str:
        repository, revision = checkpoint
        answer = self._info(checkpoint)
        code = answer.headers.get("X-Error-Code", "")
        if code == "RevisionNotFound":
            raise CheckFailed(f"it has no revision {revision}: write one that https://huggingface.co/{repository} has")
        if answer.status in (401, 403, 404):
            who = "the token's account" if self._usable_token() else "everybody"
            raise CheckFailed(f"there is no such model that {who} may see ({answer.status}): correct model")
        return f"commit {str(_good(answer)['sha'])[:12]}"

    def _licence(self, checkpoint: Checkpoint) -> str:
        repository, revision = checkpoint
        answer = self._info(checkpoint)
        if answer.status != 200:
            raise NotObservable("its row `model` says why")
        gated = answer.json["gated"]
        if not gated:
            return "not gated"
        if self._token is None:
            raise NotObservable(f"gated, and {_NO_TOKEN}")
        if not self._usable_token():
            raise NotObservable("gated, and the token is none")
        file = self._ask_once("HEAD", f"/{repository}/resolve/{quote(revision, safe='')}/config.json")
        if file.status in (401, 403):
            raise CheckFailed(
                f"gated ({gated}), and the token's account may not read it: accept its licence at "
                f"https://huggingface.co/{repository} with that account"
            )
        # A checkpoint without that file may be readable all the same.
        if file.status in (200, 404) or 300 <= file.status < 400:
            return f"gated ({gated}), and the token's account may read it"
        raise NotObservable(f"Hugging Face answers {file.status}; ask again later")

    def _info(self, checkpoint: Checkpoint) -> Answer:
        repository, revision = checkpoint
        return self._ask_once("GET", f"/api/models/{repository}/revision/{quote(revision, safe='')}")

    def _usable_token(self) -> bool:
        """Whether the token is valid; with an invalid one every public model would look closed."""
        return (
            self._token is not None and self._safe and self._ask_once("GET", "/api/whoami-v2").status not in (401, 403)
        )

    def _ask_once(self, method: str, path: str) -> Answer:
        return self._look.once(f"{method} {self._address}{path}", lambda: self._ask(method, path))

    def _ask(self, method: str, path: str) -> Answer:
        with_token = self._token and self._safe and (path == "/api/whoami-v2" or self._usable_token())
        headers = {"Authorization": f"Bearer {self._token}"} if with_token else {}
        return self._look.web.ask(method, f"{self._address}{path}", headers)


def checkpoints(models: tuple[ModelSettings, ...]) -> list[Checkpoint]:
    """All repositories that the servers read, each once: of models, tokenizers, drafts and adapters."""
    found: dict[Checkpoint, None] = {}
    for model in models:
        engine = model.engine
        found[model.model, engine.revision or "main"] = None
        if engine.tokenizer_revision:
            found[model.model, engine.tokenizer_revision] = None
        if engine.speculative and engine.speculative.model:
            found[engine.speculative.model, "main"] = None
        for adapter in engine.lora.adapters if engine.lora else ():
            found[adapter.path, "main"] = None
    return list(found)


def _good(answer: Answer) -> dict[str, Any]:
    if answer.status == 429:
        raise NotObservable("Hugging Face has had too many requests of this address; ask again in some minutes")
    if answer.status != 200:
        raise NotObservable(f"Hugging Face answers {answer.status}; ask again later")
    return answer.json
