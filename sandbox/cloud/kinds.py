"""The vocabulary of `resources/`: what a kind of resource is to this cloud, and what a rule of Google's is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from sandbox.cloud.store import Record, State
from sandbox.cloud.tables import Tables
from sandbox.cloud.values import Properties, Value


class Stage(StrEnum):
    """When a rule is applied: to the properties alone, or against what the cloud holds. No rule is about reading; a
    fault may be."""

    CHECK = "check"
    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    READ = "read"


class Refused(Exception):
    """Google would refuse this; the message is the one that Google would give."""


@dataclass(frozen=True)
class Defaults:
    """The values of the provider's configuration that count where a resource gives none."""

    project: str | None = None
    region: str | None = None
    zone: str | None = None


@dataclass(frozen=True)
class Request:
    """One resource as it is asked for, with all that a rule may look at. In a check, `state` is empty."""

    kind: "Kind"
    inputs: Properties
    defaults: Defaults
    tables: Tables
    state: State
    before: Record | None = None
    given_id: str | None = None
    """The id of the existing resource, which its inputs of today might not give. None at a creation."""

    @property
    def project(self) -> str:
        return self.inputs.text("project") or self._recorded("project") or self.defaults.project or ""

    @property
    def region(self) -> str:
        return self.inputs.text("region") or self._recorded("region") or self.defaults.region or ""

    @property
    def name(self) -> str:
        return self.inputs.text(self.kind.name_property) or ""

    @property
    def id(self) -> str:
        return self.given_id or self.kind.identify(self)

    def _recorded(self, name: str) -> str | None:
        return self.before.properties.text(name) if self.before else None


Judge = Callable[[Request], str | None]


@dataclass(frozen=True)
class Rule:
    """One rule of Google's. `judge` returns the refusal, or None if there is none."""

    id: str
    source: str
    stages: frozenset[Stage]
    judge: Judge


class Rules:
    """The rules of one kind, collected by a decorator of their functions."""

    def __init__(self) -> None:
        self.all: list[Rule] = []

    def __call__(self, id_: str, source: str, *stages: Stage) -> Callable[[Judge], Judge]:
        def collect(judge: Judge) -> Judge:
            self.all.append(Rule(id_, source, frozenset(stages), judge))
            return judge

        return collect


def _nothing(request: Request) -> dict[str, Value]:
    return {}


def _as_said(request: Request, outputs: dict[str, Value]) -> dict[str, Value]:
    return outputs


def _whole(outputs: dict[str, Value]) -> dict[str, Value]:
    return outputs


def _goes(inputs: Properties) -> bool:
    return False


@dataclass(frozen=True)
class Kind:
    """A resource type: its id at Google, what Google computes, and what is refused.

    What the provider's schema says of it is in `provider_schema.json`; this class holds what the schema cannot say.
    """

    token: str
    service: str
    identify: Callable[[Request], str]
    rules: tuple[Rule, ...]
    compute: Callable[[Request], dict[str, Value]] = _nothing
    computed: frozenset[str] = frozenset()
    """Paths of properties that a preview of a creation does not know."""
    references: frozenset[str] = frozenset()
    """Properties that name another resource; the provider accepts several spellings of the same name."""
    defaults: Mapping[str, Value] = field(default_factory=dict[str, Value])
    """Values that Google uses for missing properties, where the provider has no default."""
    replaces: Mapping[str, Callable[[Value, Value], bool]] = field(
        default_factory=dict[str, Callable[[Value, Value], bool]]
    )
    """Properties of which only some changes need a new resource, as the provider's own code decides."""
    held: Callable[[Request, dict[str, Value]], dict[str, Value]] = _as_said
    """What Google has after the request, where it is not what the provider says."""
    shown: Callable[[dict[str, Value]], dict[str, Value]] = _whole
    """The part of it that the provider shows when it reads the resource."""
    name_property: str = "name"
    autonamed: bool = True
    adopts: bool = False
    """Whether creating a resource that exists succeeds."""
    remains: Callable[[Properties], bool] = _goes
    """Whether Google keeps the resource when the program deletes it."""

    @property
    def label(self) -> str:
        return self.token.rsplit(":", 1)[1]

    def first_refusal(self, request: Request, stage: Stage) -> str | None:
        return next(iter(self.refusals(request, stage)), None)

    def refusals(self, request: Request, stage: Stage) -> list[str]:
        judged = [rule.judge(request) for rule in self.rules if stage in rule.stages]
        return [message for message in judged if message]
