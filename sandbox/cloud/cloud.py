"""The cloud itself: it judges a request, carries it out and remembers it. It knows nothing of gRPC."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sandbox.cloud import configuration, provider_checks, schema
from sandbox.cloud.control_planes import Effects
from sandbox.cloud.diff import Difference, differences
from sandbox.cloud.faults import Faults
from sandbox.cloud.kinds import Defaults, Kind, Refused, Request, Stage
from sandbox.cloud.provider_schema import provider_schema
from sandbox.cloud.resources import KINDS
from sandbox.cloud.resources.services import disabled_service
from sandbox.cloud.resources.storage import BUCKET
from sandbox.cloud.schema import Failure
from sandbox.cloud.store import Record, State, Store
from sandbox.cloud.tables import Tables
from sandbox.cloud.values import UNKNOWN, Properties, Value, has_unknown

# The key under which the Pulumi bridge lists the properties that it filled in itself.
FILLED_IN = "__defaults"

_DOING = {Stage.CREATE: "creating", Stage.UPDATE: "updating", Stage.DELETE: "deleting"}


@dataclass(frozen=True)
class Checked:
    inputs: dict[str, Value]
    failures: list[Failure]


@dataclass(frozen=True)
class Autoname:
    """What the Pulumi engine sends to make a name from, for a resource to which the program gives none."""

    urn_name: str
    seed: bytes

    def name(self, prefix: Value) -> str:
        return f"{prefix or self.urn_name + '-'}{self.seed.hex()[:7]}"


class Cloud:
    def __init__(self, store: Store, tables: Tables, effects: Effects, faults: Faults) -> None:
        self._store = store
        self._tables = tables
        self._effects = effects
        self._faults = faults

    def wake(self) -> None:
        """Start what the state records, if the machine was restarted since."""
        if self._effects.asleep(self._store.read()):
            with self._store.transaction() as state:
                self._effects.wake(state)

    def give_up(self) -> None:
        """End all waiting requests, since the Pulumi engine no longer waits for their answers."""
        self._faults.give_up()

    def check_configuration(self, values: Mapping[str, Value]) -> list[Failure]:
        return configuration.check(values, self._tables.locations)

    def check(
        self, token: str, new: dict[str, Value], old: dict[str, Value], defaults: Defaults, autoname: Autoname
    ) -> Checked:
        """The inputs, with a name filled in, and all mistakes that can be found without the cloud's state."""
        kind = _kind(token)
        failures = schema.check(schema.arguments_class(token), new)
        inputs = _named(kind, new, old, autoname)
        failures += provider_checks.check(token, _plain(inputs))
        if not failures:
            request = Request(kind, Properties(inputs), defaults, self._tables, State())
            if not request.project and not request.inputs.unknown("project"):
                failures.append(Failure("project", "required field is not set, nor is the provider's project"))
            failures += [Failure("", message) for message in kind.refusals(request, Stage.CHECK)]
        return Checked(inputs, failures)

    def diff(self, old: Record, new: dict[str, Value], defaults: Defaults, ignored: Sequence[str]) -> list[Difference]:
        kind = _kind(old.token)
        before, after = _effective(kind, old.inputs, old.outputs, None), _effective(kind, new, old.outputs, defaults)
        return differences(kind, before, after, old.properties, ignored)

    def foresee(
        self, token: str, inputs: dict[str, Value], defaults: Defaults, before: Record | None
    ) -> dict[str, Value]:
        """The outputs, as far as a preview knows them."""
        kind = _kind(token)
        request = Request(kind, Properties(_plain(inputs)), defaults, self._tables, self._store.read(), before)
        outputs = _outputs(request)
        for path in () if before else kind.computed:
            if path not in request.inputs:
                _set(outputs, path, UNKNOWN)
        unknown = {name: value for name, value in request.inputs.values.items() if has_unknown(value)}
        return {**outputs, **unknown}

    def create(self, token: str, inputs: dict[str, Value], defaults: Defaults) -> tuple[str, dict[str, Value]]:
        return self._apply(Stage.CREATE, token, None, inputs, defaults)

    def update(self, token: str, id_: str, inputs: dict[str, Value], defaults: Defaults) -> dict[str, Value]:
        return self._apply(Stage.UPDATE, token, id_, inputs, defaults)[1]

    def delete(self, token: str, id_: str, inputs: dict[str, Value], defaults: Defaults) -> None:
        match inputs.get("deletionPolicy"):
            case "PREVENT":
                raise Refused(f'cannot destroy {_kind(token).label} {id_} without setting deletion_policy="DELETE"')
            case "ABANDON":
                pass
            case _:
                self._apply(Stage.DELETE, token, id_, inputs, defaults)

    def read(self, token: str, id_: str) -> Record | None:
        kind = _kind(token)
        record = self._store.read().shelf(kind.token).get(id_)
        inputs = Properties(record.inputs if record else {})
        asked = Request(kind, inputs, Defaults(), self._tables, State(), record, id_)
        try:
            self._faults.before(self._faults.due(asked, Stage.READ), asked)
        except Refused as refusal:
            # In the words of HandleNotFoundError in hashicorp/terraform-provider-google, google/tpgresource/utils.go.
            raise Refused(f'Error when reading or editing {kind.label} "{id_}": {refusal}') from refusal
        return record and Record(record.token, record.inputs, kind.shown(record.outputs))

    def _apply(
        self, stage: Stage, token: str, id_: str | None, inputs: dict[str, Value], defaults: Defaults
    ) -> tuple[str, dict[str, Value]]:
        """Creates, changes or deletes a resource; every change of the cloud goes through here."""
        asked = Request(_kind(token), Properties(_plain(inputs)), defaults, self._tables, State(), None, id_)
        fault = self._faults.due(asked, stage)
        try:
            # This is outside of the transaction, so that a request that waits does not block the others.
            self._faults.before(fault, asked)
            done = self._carry_out(stage, token, id_, inputs, defaults)
            self._faults.after(fault, asked)
        except Refused as refusal:
            raise Refused(f"Error {_DOING[stage]} {asked.kind.label} {asked.name or id_}: {refusal}") from refusal
        return done

    def _carry_out(
        self, stage: Stage, token: str, id_: str | None, inputs: dict[str, Value], defaults: Defaults
    ) -> tuple[str, dict[str, Value]]:
        kind = _kind(token)
        with self._store.transaction() as state:
            before = state.shelf(token).get(id_) if id_ else None
            request = Request(kind, Properties(_plain(inputs)), defaults, self._tables, state, before, id_)
            id_ = request.id
            refusal = _refusal(request, stage, id_)
            if refusal:
                raise Refused(f"googleapi: {refusal}" if refusal.startswith("Error ") else refusal)
            if stage is Stage.DELETE:
                if before and not kind.remains(request.inputs):
                    self._effects.deleted(state, id_, before)
                    state.shelf(token).pop(id_, None)
                    if token == BUCKET:
                        self._store.objects.drop(id_)
                return id_, {}
            record = Record(token, dict(request.inputs.values), _outputs(request))
            record = self._effects.applied(state, id_, record)
            state.shelf(token)[id_] = Record(token, record.inputs, kind.held(request, record.outputs))
            return id_, record.outputs


def _refusal(request: Request, stage: Stage, id_: str) -> str | None:
    kind = request.kind
    there = id_ in request.state.shelf(kind.token)
    if stage is Stage.CREATE:
        disabled = disabled_service(request.state, request.project, kind.service)
        if disabled:
            return disabled
        if there and not kind.adopts:
            return f"Error 409: The resource '{id_}' already exists, alreadyExists"
    elif not there:
        # To delete what is already gone is a success.
        return None if stage is Stage.DELETE else f"Error 404: The resource '{id_}' was not found, notFound"
    return kind.first_refusal(request, stage)


def _kind(token: str) -> Kind:
    if token not in KINDS:
        known = ", ".join(sorted(kind.label for kind in KINDS.values()))
        raise Refused(f"the sandbox's cloud does not know resources of type {token}; it knows {known}")
    return KINDS[token]


def _outputs(request: Request) -> dict[str, Value]:
    outputs = {**_kept(request), **request.inputs.values, **request.kind.compute(request)}
    return {name: value for name, value in outputs.items() if value is not None}


def _kept(request: Request) -> dict[str, Value]:
    """Outputs for which an update says nothing and Google has a value of its own."""
    before = request.before.outputs if request.before else {}
    fields = provider_schema(request.kind.token).fields
    return {name: value for name, value in before.items() if name in fields and fields[name].computed}


def _plain(inputs: dict[str, Value]) -> dict[str, Value]:
    return {name: value for name, value in inputs.items() if name != FILLED_IN}


def _named(kind: Kind, new: dict[str, Value], old: dict[str, Value], autoname: Autoname) -> dict[str, Value]:
    """The inputs with a generated name if the program gives none; an existing resource keeps its name."""
    name = kind.name_property
    if name in new or not kind.autonamed:
        return new
    return {**new, name: old.get(name, autoname.name(new.get("namePrefix"))), FILLED_IN: [name]}


def _effective(
    kind: Kind, inputs: dict[str, Value], outputs: dict[str, Value], defaults: Defaults | None
) -> Properties:
    """The inputs, with the project and region filled in where they are missing: from today's defaults, or as
    recorded."""
    filled: dict[str, Value] = {}
    for name in ("project", "region"):
        if name in outputs and (field := provider_schema(kind.token).fields.get(name)) and field.force_new:
            filled[name] = (getattr(defaults, name) or outputs[name]) if defaults else outputs[name]
    return Properties({**filled, **_plain(inputs)})


def _set(values: dict[str, Value], path: str, value: Value) -> None:
    *outer, last = path.split(".")
    for step in outer:
        inner = values.get(step)
        values[step] = values = dict(inner) if isinstance(inner, dict) else {}
    values[last] = value
