# ruff: noqa: N802, the protocol names the methods
"""The `gcp` provider as the Pulumi engine sees it: it answers the Pulumi engine's gRPC requests from the cloud."""

import functools
import importlib.metadata
import json
import logging
from collections.abc import Callable, Iterable
from typing import Any, TypeVar, cast

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

from sandbox.cloud import configuration
from sandbox.cloud.cloud import FILLED_IN, Autoname, Cloud
from sandbox.cloud.diff import Difference
from sandbox.cloud.kinds import Defaults, Refused
from sandbox.cloud.noticed import noticed
from sandbox.cloud.resources import KINDS
from sandbox.cloud.schema import Failure
from sandbox.cloud.store import BrokenState, Record
from sandbox.cloud.values import decode, encode
from sandbox.rows import InvalidTable

VERSION = importlib.metadata.version("pulumi-gcp")

_log = logging.getLogger(__name__)
_Method = TypeVar("_Method", bound=Callable[..., Any])


def _answered(method: _Method) -> _Method:
    """Turns an error into one line for the Pulumi engine's user, and writes the traceback to the log."""

    @functools.wraps(method)
    def answer(self: "Provider", request: Any, context: grpc.ServicerContext) -> Any:
        try:
            return method(self, request, context)
        except (Refused, BrokenState, InvalidTable) as refusal:
            message = str(refusal)
        except Exception as error:
            _log.exception("%s failed", method.__name__)
            what = getattr(request, "urn", "") or method.__name__
            message = f"the sandbox's cloud is broken: {what}: {type(error).__name__}: {error}"
        context.abort(grpc.StatusCode.UNKNOWN, message)

    return cast(_Method, answer)


class Provider(provider_pb2_grpc.ResourceProviderServicer):
    """One cloud behind any number of provider resources; the Pulumi engine opens a connection for each of them."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._defaults: dict[str, Defaults] = {}
        self._latest = Defaults()

    def Handshake(
        self, request: provider_pb2.ProviderHandshakeRequest, context: grpc.ServicerContext
    ) -> provider_pb2.ProviderHandshakeResponse:
        return provider_pb2.ProviderHandshakeResponse()

    def Attach(self, request: plugin_pb2.PluginAttach, context: grpc.ServicerContext) -> empty_pb2.Empty:
        return empty_pb2.Empty()

    def Cancel(self, request: empty_pb2.Empty, context: grpc.ServicerContext) -> empty_pb2.Empty:
        self._cloud.give_up()
        return empty_pb2.Empty()

    def GetPluginInfo(self, request: empty_pb2.Empty, context: grpc.ServicerContext) -> plugin_pb2.PluginInfo:
        return plugin_pb2.PluginInfo(version=VERSION)

    def GetSchema(
        self, request: provider_pb2.GetSchemaRequest, context: grpc.ServicerContext
    ) -> provider_pb2.GetSchemaResponse:
        return provider_pb2.GetSchemaResponse(schema=json.dumps({"name": "gcp", "version": VERSION}))

    @_answered
    def CheckConfig(
        self, request: provider_pb2.CheckRequest, context: grpc.ServicerContext
    ) -> provider_pb2.CheckResponse:
        failures = self._cloud.check_configuration(decode(request.news))
        return provider_pb2.CheckResponse(inputs=request.news, failures=_failures(failures))

    @_answered
    def DiffConfig(self, request: provider_pb2.DiffRequest, context: grpc.ServicerContext) -> provider_pb2.DiffResponse:
        # A change of project or region appears in the resources that took it from the provider.
        old, new = decode(request.old_inputs), decode(request.news)
        changed = sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))
        some = provider_pb2.DiffResponse.DIFF_SOME if changed else provider_pb2.DiffResponse.DIFF_NONE
        return provider_pb2.DiffResponse(changes=some, diffs=changed)

    @_answered
    def Configure(
        self, request: provider_pb2.ConfigureRequest, context: grpc.ServicerContext
    ) -> provider_pb2.ConfigureResponse:
        self._latest = self._defaults[context.peer()] = configuration.defaults(decode(request.args))
        self._cloud.wake()
        return provider_pb2.ConfigureResponse(supportsPreview=True)

    @_answered
    def Invoke(self, request: provider_pb2.InvokeRequest, context: grpc.ServicerContext) -> provider_pb2.InvokeResponse:
        raise Refused(f"the sandbox's cloud does not answer the function {request.tok}")

    @_answered
    def Check(self, request: provider_pb2.CheckRequest, context: grpc.ServicerContext) -> provider_pb2.CheckResponse:
        autoname = Autoname(request.urn.rsplit("::", 1)[1], request.randomSeed)
        new, old = decode(request.news), decode(request.olds)
        checked = self._cloud.check(_token(request.urn), new, old, self._defaults_of(context), autoname)
        return provider_pb2.CheckResponse(inputs=encode(checked.inputs), failures=_failures(checked.failures))

    @_answered
    def Diff(self, request: provider_pb2.DiffRequest, context: grpc.ServicerContext) -> provider_pb2.DiffResponse:
        old = Record(_token(request.urn), decode(request.old_inputs), decode(request.olds))
        new = decode(request.news)
        found = self._cloud.diff(old, new, self._defaults_of(context), request.ignoreChanges)
        # A name that does not change is free only after the old resource is deleted.
        name = KINDS[old.token].name_property
        return _diff_response(found, delete_first=FILLED_IN not in new and all(each.path != name for each in found))

    @_answered
    def Create(self, request: provider_pb2.CreateRequest, context: grpc.ServicerContext) -> provider_pb2.CreateResponse:
        token, inputs, defaults = _token(request.urn), decode(request.properties), self._defaults_of(context)
        if request.preview:
            return provider_pb2.CreateResponse(properties=encode(self._cloud.foresee(token, inputs, defaults, None)))
        id_, outputs = self._cloud.create(token, inputs, defaults)
        return provider_pb2.CreateResponse(id=id_, properties=encode(outputs))

    @_answered
    def Read(self, request: provider_pb2.ReadRequest, context: grpc.ServicerContext) -> provider_pb2.ReadResponse:
        record = self._cloud.read(_token(request.urn), request.id)
        if record is None:
            return provider_pb2.ReadResponse()
        # An import has no inputs yet.
        refreshes = bool(request.inputs.fields)
        inputs = (
            noticed(decode(request.inputs), decode(request.properties), record.outputs) if refreshes else record.inputs
        )
        return provider_pb2.ReadResponse(id=request.id, properties=encode(record.outputs), inputs=encode(inputs))

    @_answered
    def Update(self, request: provider_pb2.UpdateRequest, context: grpc.ServicerContext) -> provider_pb2.UpdateResponse:
        token, inputs, defaults = _token(request.urn), decode(request.news), self._defaults_of(context)
        if request.preview:
            before = Record(token, decode(request.old_inputs), decode(request.olds))
            outputs = self._cloud.foresee(token, inputs, defaults, before)
        else:
            outputs = self._cloud.update(token, request.id, inputs, defaults)
        return provider_pb2.UpdateResponse(properties=encode(outputs))

    @_answered
    def Delete(self, request: provider_pb2.DeleteRequest, context: grpc.ServicerContext) -> empty_pb2.Empty:
        inputs = request.old_inputs if request.old_inputs.fields else request.properties
        self._cloud.delete(_token(request.urn), request.id, decode(inputs), self._defaults_of(context))
        return empty_pb2.Empty()

    def _defaults_of(self, context: grpc.ServicerContext) -> Defaults:
        return self._defaults.get(context.peer(), self._latest)


def _token(urn: str) -> str:
    return urn.split("::")[2].rsplit("$", 1)[-1]


def _failures(failures: Iterable[Failure]) -> list[provider_pb2.CheckFailure]:
    return [
        provider_pb2.CheckFailure(
            property=failure.path, reason=f"{failure.path}: {failure.reason}" if failure.path else failure.reason
        )
        for failure in failures
    ]


def _diff_response(found: list[Difference], delete_first: bool) -> provider_pb2.DiffResponse:
    replaces = sorted({each.path.split(".")[0].split("[")[0] for each in found if each.replaces})
    detailed: dict[str, Any] = {}
    for each in found:
        kind = f"{each.change}_REPLACE" if each.replaces else str(each.change)
        detailed[each.path] = provider_pb2.PropertyDiff(kind=provider_pb2.PropertyDiff.Kind.Value(kind), inputDiff=True)
    return provider_pb2.DiffResponse(
        changes=provider_pb2.DiffResponse.DIFF_SOME if found else provider_pb2.DiffResponse.DIFF_NONE,
        replaces=replaces,
        deleteBeforeReplace=bool(replaces) and delete_first,
        diffs=sorted({each.path.split(".")[0].split("[")[0] for each in found}),
        detailedDiff=detailed,
        hasDetailedDiff=True,
    )
