"""Puts the labels that everything has on every object in the cluster, whoever makes it."""

from collections.abc import Mapping
from typing import Any

import pulumi

from components.manifests.labels import labelled


def labelling(stack_labels: Mapping[str, str]) -> pulumi.ResourceOptions:
    """Options of a component, for all that is below it: its own objects, and those that a chart makes in it.

    A chart makes its objects in the provider, out of this program's sight, so the engine asks for theirs.
    """

    def ours(args: pulumi.ResourceTransformationArgs) -> pulumi.ResourceTransformationResult | None:
        props = _labelled(args.type_, args.props)
        return pulumi.ResourceTransformationResult(props=props, opts=args.opts) if props else None

    def charts(args: pulumi.ResourceTransformArgs) -> pulumi.ResourceTransformResult | None:
        props = _labelled(args.type_, args.props)
        return pulumi.ResourceTransformResult(props=props, opts=args.opts) if props else None

    def _labelled(type_: str, props: Mapping[str, Any]) -> dict[str, Any] | None:
        """None for what is no Kubernetes object, such as a chart itself, and for what has the labels."""
        if not type_.startswith("kubernetes:") or "kind" not in props:
            return None
        changed = labelled(props, stack_labels)
        return None if changed == props else changed

    return pulumi.ResourceOptions(transformations=[ours], transforms=[charts])
