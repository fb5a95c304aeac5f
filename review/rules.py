"""Holds what a preview would make against the rules of `policy`, from the events alone."""

from policy import Resource, Stack, check
from review.events import Action, EventLog, Violation


def broken_rules(stack: str, log: EventLog) -> tuple[Violation, ...]:
    """Of every rule that sees no operation; those about replacement and deletion are the report's own words."""
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
    return tuple(
        Violation(found.rule.id, found.rule.mandatory, found.resource.urn if found.resource else "", found.message)
        for found in check(Stack(name=stack, resources=resources))
    )
