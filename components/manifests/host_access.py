"""An admission policy that allows pods of a namespace only the parts of their node that a transport needs.

Pod Security has no profile between `baseline`, which forbids every folder of the node, and `privileged`, which forbids
nothing; this policy is that profile.
"""

import json
from typing import Any

from components.manifests.types import Manifest
from planning.plan import HostAccessPlan, NamespacePlan

_ANY: dict[str, Any] = {"matchPolicy": "Equivalent", "namespaceSelector": {}, "objectSelector": {}}
"""What the API server fills in where nothing is said of what matches (Kubernetes 1.36, seen on 2026-11-29). Server-side
apply compares it whole, so without these words an object that was made before a kill could not be made again."""

_CONTAINERS = "object.spec.containers"
_INIT_CONTAINERS = "(has(object.spec.initContainers) ? object.spec.initContainers : [])"
_EPHEMERAL_CONTAINERS = "(has(object.spec.ephemeralContainers) ? object.spec.ephemeralContainers : [])"


def admission_policy(namespace: NamespacePlan, allowed: HostAccessPlan) -> Manifest:
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": _name(namespace)},
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {
                **_ANY,
                "resourceRules": [
                    {
                        "apiGroups": [""],
                        "apiVersions": ["v1"],
                        "operations": ["CREATE", "UPDATE"],
                        "resources": ["pods", "pods/ephemeralcontainers"],
                        "scope": "*",
                    }
                ],
            },
            "validations": [{"expression": expression, "message": message} for expression, message in _rules(allowed)],
        },
    }


def binding(namespace: NamespacePlan) -> Manifest:
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": _name(namespace)},
        "spec": {
            "policyName": _name(namespace),
            "validationActions": ["Deny"],
            "matchResources": {
                **_ANY,
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace.name}},
            },
        },
    }


def _name(namespace: NamespacePlan) -> str:
    return f"{namespace.name}-host-access"


def _rules(allowed: HostAccessPlan) -> list[tuple[str, str]]:
    folders = sorted((*allowed.paths, *allowed.writable_paths))
    paths = json.dumps(folders)
    return [
        (
            "!(has(object.spec.hostNetwork) && object.spec.hostNetwork) && "
            "!(has(object.spec.hostPID) && object.spec.hostPID) && !(has(object.spec.hostIPC) && object.spec.hostIPC)",
            "pods have namespaces of their own, not the node's",
        ),
        (
            f"!has(object.spec.volumes) || object.spec.volumes.all(v, !has(v.hostPath) || v.hostPath.path in {paths})",
            f"no folder of the node but {', '.join(folders)}",
        ),
        (
            _every_container(allowed, _read_only(allowed)),
            "folders of the node are read-only" + _but(allowed.writable_paths),
        ),
        (
            f"!has(object.spec.volumes) || object.spec.volumes.all(v, {_KNOWN_VOLUMES})",
            "volumes are of the kinds that Pod Security's restricted profile admits",
        ),
        (
            f"!has(object.spec.securityContext) || ({_PLAIN_POD})",
            "pods set no sysctls, no SELinux options and no AppArmor profile of their own",
        ),
        (
            "has(object.spec.securityContext) && has(object.spec.securityContext.runAsNonRoot) && "
            "object.spec.securityContext.runAsNonRoot && has(object.spec.securityContext.seccompProfile) && "
            'object.spec.securityContext.seccompProfile.type == "RuntimeDefault"',
            "pods run as a user other than root, with the runtime's seccomp profile",
        ),
        (
            _every_container(allowed, _UNPRIVILEGED),
            "containers add no capability, drop all and gain no privilege",
        ),
        *_sidecar_rules(allowed),
    ]


_VOLUMES = (
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "hostPath",
    "persistentVolumeClaim",
    "projected",
)
_KNOWN_VOLUMES = " || ".join(f"has(v.{kind})" for kind in (*_VOLUMES, "secret"))
"""Folders of the node have a rule of their own."""
_PLAIN_POD = " && ".join(
    f"!has(object.spec.securityContext.{field})" for field in ("sysctls", "seLinuxOptions", "appArmorProfile")
)


def _read_only(allowed: HostAccessPlan) -> str:
    """The rule that a container mounts a folder of the node read-only, except those that hold what pods share."""
    writable = json.dumps(list(allowed.writable_paths))
    return (
        "!has(c.volumeMounts) || c.volumeMounts.all(m, (has(m.readOnly) && m.readOnly) || "
        "!object.spec.volumes.exists(v, v.name == m.name && has(v.hostPath) && "
        f"!(v.hostPath.path in {writable})))"
    )


def _but(writable: tuple[str, ...]) -> str:
    return f" but for {', '.join(writable)}" if writable else ""


_UNPRIVILEGED = (
    "has(c.securityContext) && "
    "!(has(c.securityContext.privileged) && c.securityContext.privileged) && "
    "!(has(c.securityContext.runAsNonRoot) && !c.securityContext.runAsNonRoot) && "
    "!(has(c.securityContext.runAsUser) && c.securityContext.runAsUser == 0) && "
    "has(c.securityContext.allowPrivilegeEscalation) && !c.securityContext.allowPrivilegeEscalation && "
    "has(c.securityContext.capabilities) && has(c.securityContext.capabilities.drop) && "
    '"ALL" in c.securityContext.capabilities.drop && !has(c.securityContext.capabilities.add) && '
    "(!has(c.securityContext.seccompProfile) || "
    'c.securityContext.seccompProfile.type == "RuntimeDefault") && '
    '(!has(c.securityContext.procMount) || c.securityContext.procMount == "Default") && '
    "!has(c.securityContext.seLinuxOptions) && !has(c.securityContext.appArmorProfile) && "
    "(!has(c.ports) || c.ports.all(p, !has(p.hostPort) || p.hostPort == 0))"
)


def _every_container(allowed: HostAccessPlan, rule: str) -> str:
    """The rule for containers of every kind, except the sidecar, which is an init container with a fixed name."""
    beside = f"c.name == {json.dumps(allowed.sidecar)} || ({rule})" if allowed.sidecar else rule
    return " && ".join(
        f"{containers}.all(c, {each})"
        for containers, each in ((_CONTAINERS, rule), (_INIT_CONTAINERS, beside), (_EPHEMERAL_CONTAINERS, rule))
    )


def _sidecar_rules(allowed: HostAccessPlan) -> list[tuple[str, str]]:
    if allowed.sidecar is None:
        return []
    name, capabilities = json.dumps(allowed.sidecar), json.dumps(list(allowed.capabilities))
    added = "c.securityContext.capabilities.add"
    return [
        (
            f"{_INIT_CONTAINERS}.all(c, c.name != {name} || (has(c.securityContext) && "
            "!(has(c.securityContext.privileged) && c.securityContext.privileged) && "
            f"(!has(c.securityContext.capabilities) || !has({added}) || {added}.all(each, each in {capabilities}))))",
            f"{allowed.sidecar} has no capability but {', '.join(allowed.capabilities)}",
        )
    ]
