"""The rules as a policy pack: `pulumi preview --policy-pack policy`, or this very file where the CLI has no Python."""

import sys

if __name__ == "__main__":
    # If this is started as a file, Python looks for modules beside it first; they must be found in the checkout.
    sys.path[0] = f"{sys.path[0]}/.."

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, cast

from pulumi_policy import (
    EnforcementLevel,
    Policy,
    PolicyPack,
    PolicyResource,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)

from policy import RULES, Level, Resource, Stack
from policy.rule import Check, StackCheck

_LEVELS = {Level.MANDATORY: EnforcementLevel.MANDATORY, Level.ADVISORY: EnforcementLevel.ADVISORY}


def policies() -> list[Policy]:
    """The rules as policies. A rule about one resource stops an update before the resource is made; one about all
    resources stops a preview."""
    found: list[Policy] = []
    for rule in RULES:
        if rule.check:
            found.append(ResourceValidationPolicy(rule.id, rule.reason, _of_resource(rule.check), _LEVELS[rule.level]))
        if rule.check_stack:
            found.append(StackValidationPolicy(rule.id, rule.reason, _of_stack(rule.check_stack), _LEVELS[rule.level]))
    return found


def _of_resource(check: Check) -> Callable[[ResourceValidationArgs, ReportViolation], None]:
    def validate(args: ResourceValidationArgs, report_violation: ReportViolation) -> None:
        resource = _resource(args)
        for message in check(resource, Stack(name=_stack_name(args.urn), resources=(resource,))):
            report_violation(message, None)

    return validate


def _of_stack(check_stack: StackCheck) -> Callable[[StackValidationArgs, ReportViolation], None]:
    def validate(args: StackValidationArgs, report_violation: ReportViolation) -> None:
        resources = tuple(_resource(resource) for resource in args.resources)
        name = next((_stack_name(resource.urn) for resource in resources), "")
        for resource, message in check_stack(Stack(name=name, resources=resources)):
            report_violation(message, resource.urn if resource else None)

    return validate


def _resource(args: ResourceValidationArgs | PolicyResource) -> Resource:
    return Resource(
        type=args.resource_type,
        name=args.name,
        urn=args.urn,
        properties=cast(Mapping[str, Any], _plain(args.props)),
        protect=bool(args.opts and args.opts.protect),
    )


def _plain(value: Any) -> Any:
    """The value without the host's guards, which would end a rule at the first value that is not known yet."""
    with suppress(TypeError, KeyError, IndexError):
        value = value["__target"]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in cast(dict[str, Any], value).items()}
    if isinstance(value, list):
        return [_plain(item) for item in cast(list[Any], value)]
    return value


def _stack_name(urn: str) -> str:
    """The stack in a URN, which has the form `urn:pulumi:STACK::project::type::name`."""
    return urn.split("::")[0].rsplit(":", 1)[-1]


if __name__ == "__main__":
    PolicyPack("inference-platform", policies(), EnforcementLevel.MANDATORY)
