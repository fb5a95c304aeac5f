"""Runs the program against a monitor that records every registration whole: options and edges, not inputs alone."""

import asyncio
import json
import runpy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pulumi
import yaml
from google.protobuf import json_format
from pulumi.runtime import mocks, rpc
from pulumi.runtime.settings import get_root_resource, reset_options
from pulumi.runtime.stack import run_pulumi_func

CHECKOUT = Path(__file__).parents[2]
NAMESPACE = "inference-platform"
PROJECT_ID = "test-project"
TOKEN = "hf_canary_of_the_graph_tests"
SECRET = "[secret]"
UNKNOWN = "[unknown]"


@dataclass(frozen=True)
class Registration:
    """One resource as the Pulumi engine would have been asked for it; URNs are shortened to `type name`."""

    type: str
    name: str
    parent: str
    custom: bool
    remote: bool
    provider: str
    dependencies: tuple[str, ...]
    options: dict[str, Any]
    inputs: dict[str, Any]

    @property
    def key(self) -> str:
        return f"{self.type} {self.name}"

    def as_dict(self) -> dict[str, Any]:
        """For a snapshot: what is empty is left out."""
        record = {
            "parent": self.parent,
            "provider": self.provider,
            "dependencies": list(self.dependencies),
            **self.options,
            "inputs": self.inputs,
        }
        return {key: value for key, value in record.items() if value not in ("", [], {}, None, False)}


@dataclass
class Graph:
    registrations: list[Registration] = field(default_factory=list)
    outputs: dict[str, Any] = field(default_factory=dict)
    reads: list[str] = field(default_factory=list)
    """Ids of what is there already and is only looked at."""
    asks_back: list[str] = field(default_factory=list)
    """The keys of those for which, and for all below them, the Pulumi engine calls the program back."""

    def of_type(self, type_: str) -> list[Registration]:
        return [registration for registration in self.registrations if registration.type == type_]

    def before(self, resource: Registration) -> set[str]:
        """The keys of everything that exists before it, however far back."""
        by_key = {each.key: each for each in self.registrations}
        found: set[str] = set()
        waiting = list(resource.dependencies)
        while waiting:
            key = waiting.pop()
            if key not in found and key in by_key:
                found.add(key)
                waiting += by_key[key].dependencies
        return found

    def __getitem__(self, name: str) -> Registration:
        found = [registration for registration in self.registrations if registration.name == name]
        assert len(found) == 1, f"{len(found)} registrations are called {name}"
        return found[0]


class _Google(mocks.Mocks):
    """Stands for Google's API alone: the values it computes, and only when something is really made."""

    def __init__(self, preview: bool, existing: dict[str, dict[str, Any]]) -> None:
        self._preview = preview
        self.existing = existing

    def call(self, args: mocks.MockCallArgs) -> tuple[dict[str, Any], None]:
        raise AssertionError(f"the program calls {args.token}; a preview without credentials could not")

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        state = dict(args.inputs)
        name = state.get("name", args.name)
        computed: dict[str, Any] = {}
        match args.typ:
            case "gcp:serviceaccount/account:Account":
                email = f"{state['accountId']}@{PROJECT_ID}.iam.gserviceaccount.com"
                account = f"projects/{PROJECT_ID}/serviceAccounts/{email}"
                computed = {"email": email, "member": f"serviceAccount:{email}", "name": account}
            case "gcp:container/cluster:Cluster":
                endpoint = {"endpoint": "gke-0123.us-central1.gke.goog"}
                computed = {"controlPlaneEndpointsConfig": {"dnsEndpointConfig": endpoint}}
            case "gcp:iam/workloadIdentityPoolProvider:WorkloadIdentityPoolProvider":
                pool = f"projects/123/locations/global/workloadIdentityPools/{state['workloadIdentityPoolId']}"
                computed = {"name": f"{pool}/providers/{state['workloadIdentityPoolProviderId']}"}
            case "gcp:monitoring/notificationChannel:NotificationChannel":
                computed = {"name": f"{state['project']} {args.name}"}
            case "kubernetes:core/v1:Secret":
                computed = {"metadata": {"name": f"{args.name}-0a1b2c3", **state["metadata"]}}
            case "gcp:storage/bucket:Bucket":
                computed = {"url": f"gs://{state['name']}"}
            case _:
                pass
        if args.resource_id and not args.inputs:
            # It is there already, so a preview knows all of it.
            return args.resource_id, self.existing.get(args.resource_id, {})
        for key, value in computed.items():
            state.pop(key, None)
            if not self._preview:
                state[key] = value
        return f"id-of-{name}", state


class _Recorder(mocks.MockMonitor):
    def __init__(self, google: _Google, graph: Graph) -> None:
        super().__init__(google)
        self._graph = graph

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802
        if request.type != "pulumi:pulumi:Stack":
            self._graph.registrations.append(_registration(request))
            if request.transforms:
                self._graph.asks_back.append(self._graph.registrations[-1].key)
        return super().RegisterResource(request)

    def ReadResource(self, request: Any) -> Any:  # noqa: N802
        self._graph.reads.append(request.id)
        return super().ReadResource(request)


def stack_config(stack: str) -> dict[str, str]:
    """A stack file's configuration as the Pulumi engine hands it over, with a project and a token set."""
    return handed_over(yaml.safe_load((CHECKOUT / f"Pulumi.{stack}.yaml").read_text())["config"])


def handed_over(content: dict[str, Any]) -> dict[str, str]:
    """The same for a configuration that is in no stack file."""
    config = {key: value if isinstance(value, str) else json.dumps(value) for key, value in content.items()}
    own = {} if f"{NAMESPACE}:token" in config else {f"{NAMESPACE}:huggingFaceToken": TOKEN}
    return config | {f"{NAMESPACE}:project": PROJECT_ID, **own}


def record(
    stack: str,
    *,
    preview: bool,
    config: dict[str, str] | None = None,
    graph: Graph | None = None,
    existing: dict[str, dict[str, Any]] | None = None,
    program: Path = CHECKOUT / "__main__.py",
) -> Graph:
    """The whole graph of a stack, in `graph` if one is given. Raises what the program raises.

    `existing` is what is at Google already, by id.
    """
    graph = graph or Graph()
    google = _Google(preview, existing or {})
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        # Else this process's first stack would stay everybody's root, and what a failed program left would be awaited.
        reset_options()
        mocks.set_mocks(google, NAMESPACE, stack, preview, monitor=_Recorder(google, graph))
        pulumi.runtime.set_all_config(config or stack_config(stack), secret_keys=[f"{NAMESPACE}:huggingFaceToken"])

        def run() -> None:
            runpy.run_path(str(program), run_name="__main__")

        loop.run_until_complete(run_pulumi_func(run))
        root = get_root_resource()
        assert root is not None
        exported = loop.run_until_complete(rpc.serialize_properties(root.outputs, {}))
        graph.outputs.update(_plain(json_format.MessageToDict(exported)))
    finally:
        for task in (left := asyncio.all_tasks(loop)):
            task.cancel()
        loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        loop.close()
        asyncio.set_event_loop(None)
    graph.registrations.sort(key=lambda registration: registration.key)
    return graph


def _registration(request: Any) -> Registration:
    timeouts = {name: getattr(request.customTimeouts, name) for name in ("create", "update", "delete")}
    return Registration(
        type=request.type,
        name=request.name,
        parent=_short(request.parent),
        custom=request.custom,
        remote=request.remote,
        provider=_short(request.provider.rsplit("::", 1)[0]),
        dependencies=tuple(sorted({_short(urn) for urn in request.dependencies})),
        options={
            "protect": request.protect,
            "deletedWith": _short(request.deletedWith),
            "deleteBeforeReplace": request.deleteBeforeReplace,
            "ignoreChanges": list(request.ignoreChanges),
            "replaceOnChanges": list(request.replaceOnChanges),
            "customTimeouts": {name: value for name, value in timeouts.items() if value},
            "additionalSecretOutputs": list(request.additionalSecretOutputs),
        },
        inputs=_plain(json_format.MessageToDict(request.object)),
    )


def _short(urn: str) -> str:
    if not urn:
        return ""
    parts = urn.split("::")
    return f"{parts[2].split('$')[-1]} {parts[3]}" if len(parts) > 3 else urn


def _plain(value: Any) -> Any:
    """Secrets become a word, unknowns another, and numbers lose the fraction that protobuf gives them."""
    match value:
        case dict():
            signature = value.get(rpc._special_sig_key)
            if signature == rpc._special_secret_sig:
                return SECRET
            if signature == rpc._special_output_value_sig:
                return UNKNOWN if "value" not in value else _plain(value["value"])
            return {key: _plain(item) for key, item in sorted(value.items())}
        case list():
            return [_plain(item) for item in value]
        case float() if value.is_integer():
            return int(value)
        case str() if value == rpc.UNKNOWN:
            return UNKNOWN
        case _:
            return value


__all__ = [
    "CHECKOUT",
    "PROJECT_ID",
    "SECRET",
    "TOKEN",
    "UNKNOWN",
    "Graph",
    "Registration",
    "handed_over",
    "record",
    "stack_config",
]
