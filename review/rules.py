"""Applies the rules of `policy` to what a preview would make, which is read from the events alone."""

from dataclasses import replace

from policy import Resource, Stack, check
from review.events import Action, EventLog, Violation


def judged(stack: str, log: EventLog) -> EventLog:
    """The log with the violations of all rules that do not depend on the operation, beside those that a policy pack
    reported; the report itself tells of replaced and deleted resources."""
    resources = tuple(
        Resource(
            type=resource.type,
            name=resource.name,
            urn=resource.urn,
            properties=resource.inputs,
            protect=resource.protect,
        )
        for resource in log.resources
        if resource.action is not Action.DELETE
    )
    broken = (
        Violation(found.rule.id, found.rule.mandatory, found.resource.urn if found.resource else "", found.message)
        for found in check(Stack(name=stack, resources=resources))
    )
    return replace(log, violations=(*log.violations, *broken))
