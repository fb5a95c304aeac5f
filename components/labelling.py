"""Puts the stack's labels on every object in the cluster, whoever makes it."""

from collections.abc import Mapping
from typing import Any

import pulumi

from components.manifests.labels import labelled


def labelling(stack_labels: Mapping[str, str]) -> pulumi.ResourceOptions:
    """Options for a component that label all objects below it, except those that a chart makes."""

    def ours(args: pulumi.ResourceTransformationArgs) -> pulumi.ResourceTransformationResult | None:
        props = _labelled(args.type_, args.props, stack_labels)
        return pulumi.ResourceTransformationResult(props=props, opts=args.opts) if props else None

    return pulumi.ResourceOptions(transformations=[ours])


def chart_labelling(stack_labels: Mapping[str, str]) -> pulumi.ResourceOptions:
    """Options for a component that label what the charts below it make.

    The provider makes those objects, which this program does not see, so the Pulumi engine asks it back for each
    object below the component. That is not free: only a component with a chart has these options.
    """

    def charts(args: pulumi.ResourceTransformArgs) -> pulumi.ResourceTransformResult | None:
        props = _labelled(args.type_, args.props, stack_labels)
        return pulumi.ResourceTransformResult(props=props, opts=args.opts) if props else None

    return pulumi.ResourceOptions(transforms=[charts])


def _labelled(type_: str, props: Mapping[str, Any], stack_labels: Mapping[str, str]) -> dict[str, Any] | None:
    """The properties with labels; None if it has them already, or is no Kubernetes object, as a chart itself is."""
    if not type_.startswith("kubernetes:") or "kind" not in props:
        return None
    changed = labelled(props, stack_labels)
    return None if changed == props else changed
