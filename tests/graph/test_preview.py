"""What a preview of nothing shows: all that `up` makes, but for a few values that only Google will say."""

from collections.abc import Callable, Iterator
from typing import Any

from tests.graph.conftest import STACKS
from tests.graph.recorder import UNKNOWN, Graph

_TOKEN_REVISION = "template.metadata.annotations.inference-platform/token-revision"
_TOKEN_VOLUME = "template.spec.volumes[].secret.secretName"
_LEADER, _WORKER = (f"inputs.spec.leaderWorkerTemplate.{half}" for half in ("leaderTemplate", "workerTemplate"))

UNKNOWN_UNTIL_UP = {
    "gcp:container/cluster:Cluster": {"inputs.nodeConfig.serviceAccount"},
    "gcp:container/nodePool:NodePool": {"inputs.nodeConfig.serviceAccount"},
    "gcp:monitoring/alertPolicy:AlertPolicy": {"inputs.notificationChannels[]"},
    "gcp:projects/iAMMember:IAMMember": {"inputs.member"},
    "gcp:secretmanager/secretIamMember:SecretIamMember": {"inputs.member"},
    "gcp:serviceaccount/iAMMember:IAMMember": {"inputs.serviceAccountId"},
    "kubernetes:apps/v1:Deployment": {f"inputs.spec.{_TOKEN_REVISION}", f"inputs.spec.{_TOKEN_VOLUME}"},
    "kubernetes:batch/v1:Job": {f"inputs.spec.{_TOKEN_REVISION}"},
    "kubernetes:core/v1:ServiceAccount": {"inputs.metadata.annotations.iam.gke.io/gcp-service-account"},
    "kubernetes:leaderworkerset.x-k8s.io/v1:LeaderWorkerSet": {
        f"{half}.{path.removeprefix('template.')}"
        for half in (_LEADER, _WORKER)
        for path in (_TOKEN_REVISION, _TOKEN_VOLUME)
    },
    "pulumi:providers:kubernetes": {"inputs.kubeconfig"},
}
"""By kind, over all stacks: emails and names that Google makes, the name that Pulumi gives the token, the address
of the cluster."""


def _differences(preview: Any, up: Any, path: str = "") -> Iterator[str]:
    """Paths of what `up` knows and a preview does not; anything else that differs is named with both values."""
    match preview, up:
        case dict(), dict():
            for key in sorted(preview.keys() | up.keys()):
                yield from _differences(preview.get(key), up.get(key), f"{path}.{key}".removeprefix("."))
        case list(), list() if len(preview) == len(up):
            for one, other in zip(preview, up, strict=True):
                yield from _differences(one, other, f"{path}[]")
        case _ if preview != up:
            yield path if preview == UNKNOWN else f"{path} is {preview!r}, and {up!r} after up"
        case _:
            pass


def _unknown(preview: Graph, up: Graph) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for one, other in zip(preview.registrations, up.registrations, strict=True):
        assert one.key == other.key
        found.setdefault(one.type, set()).update(_differences(one.as_dict(), other.as_dict()))
    return {kind: paths for kind, paths in found.items() if paths}


def test_a_preview_shows_what_up_makes_but_for_what_only_up_can_know(graph_of: Callable[[str, bool], Graph]) -> None:
    seen: dict[str, set[str]] = {}
    for stack in STACKS:
        for kind, paths in _unknown(graph_of(stack, True), graph_of(stack, False)).items():
            seen.setdefault(kind, set()).update(paths)
    assert seen == UNKNOWN_UNTIL_UP


def test_outputs_are_known_before_up(stack: str, graph_of: Callable[[str, bool], Graph]) -> None:
    assert graph_of(stack, True).outputs == graph_of(stack, False).outputs
