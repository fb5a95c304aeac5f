"""An admission policy that allows pods of a namespace only the parts of their node that a transport needs.

Pod Security has no profile between `baseline`, which forbids every folder of the node, and `privileged`, which forbids
nothing; this policy is that profile.
"""

import json

from components.manifests.types import Manifest
from planning.plan import HostAccessPlan, NamespacePlan

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
                "resourceRules": [
                    {
                        "apiGroups": [""],
                        "apiVersions": ["v1"],
                        "operations": ["CREATE", "UPDATE"],
                        "resources": ["pods", "pods/ephemeralcontainers"],
                    }
                ]
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
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace.name}},
            },
        },
    }


def _name(namespace: NamespacePlan) -> str:
    return f"{namespace.name}-host-access"


def _rules(allowed: HostAccessPlan) -> list[tuple[str, str]]:
    paths = json.dumps(list(allowed.paths))
    return [
        (
            "!(has(object.spec.hostNetwork) && object.spec.hostNetwork) && "
            "!(has(object.spec.hostPID) && object.spec.hostPID) && !(has(object.spec.hostIPC) && object.spec.hostIPC)",
            "pods have namespaces of their own, not the node's",
        ),
        (
            f"!has(object.spec.volumes) || object.spec.volumes.all(v, !has(v.hostPath) || v.hostPath.path in {paths})",
            f"no folder of the node but {', '.join(allowed.paths)}",
        ),
        (
            _every_container(allowed, _READ_ONLY),
            "folders of the node are read-only",
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


_READ_ONLY = (
    "!has(c.volumeMounts) || c.volumeMounts.all(m, (has(m.readOnly) && m.readOnly) || "
    "!object.spec.volumes.exists(v, v.name == m.name && has(v.hostPath)))"
)
_UNPRIVILEGED = (
    "has(c.securityContext) && "
    "!(has(c.securityContext.privileged) && c.securityContext.privileged) && "
    "!(has(c.securityContext.runAsNonRoot) && !c.securityContext.runAsNonRoot) && "
    "!(has(c.securityContext.runAsUser) && c.securityContext.runAsUser == 0) && "
    "has(c.securityContext.allowPrivilegeEscalation) && !c.securityContext.allowPrivilegeEscalation && "
    "has(c.securityContext.capabilities) && has(c.securityContext.capabilities.drop) && "
    '"ALL" in c.securityContext.capabilities.drop && !has(c.securityContext.capabilities.add)'
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
