"""Puts the stack's labels on every object in the cluster, whoever makes it."""

from collections.abc import Mapping
from typing import Any

import pulumi

from components.manifests.labels import labelled


def labelling(stack_labels: Mapping[str, str]) -> pulumi.ResourceOptions:
    """Options for a component that label all objects below it, including those that a chart makes.

    The provider makes a chart's objects, which this program does not see, so Pulumi asks a transform for their
    labels.
    """

    def ours(args: pulumi.ResourceTransformationArgs) -> pulumi.ResourceTransformationResult | None:
        props = _labelled(args.type_, args.props)
        return pulumi.ResourceTransformationResult(props=props, opts=args.opts) if props else None

    def charts(args: pulumi.ResourceTransformArgs) -> pulumi.ResourceTransformResult | None:
        props = _labelled(args.type_, args.props)
        return pulumi.ResourceTransformResult(props=props, opts=args.opts) if props else None

    def _labelled(type_: str, props: Mapping[str, Any]) -> dict[str, Any] | None:
        """The properties with labels; None if it is not a Kubernetes object, such as a chart itself, or has them
        already."""
        if not type_.startswith("kubernetes:") or "kind" not in props:
            return None
        changed = labelled(props, stack_labels)
        return None if changed == props else changed

    return pulumi.ResourceOptions(transformations=[ours], transforms=[charts])
