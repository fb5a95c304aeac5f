"""The bucket with weights, whether the stack makes it or it is there already."""

from dataclasses import dataclass

import pulumi
from pulumi_gcp import storage

from components.faces import StackContext
from planning.plan import WeightsBucketPlan


@dataclass(frozen=True, kw_only=True)
class BucketAccess:
    """The bucket as its users' rights need it."""

    name: pulumi.Input[str]
    plan: WeightsBucketPlan


def weights_bucket(plan: WeightsBucketPlan, stack: StackContext) -> BucketAccess:
    """One that exists is only read and filled."""
    if plan.exists:
        return BucketAccess(name=plan.name, plan=plan)
    bucket = storage.Bucket(
        "weights-bucket",
        name=plan.name,
        location=plan.location,
        uniform_bucket_level_access=True,
        public_access_prevention="enforced",
        hierarchical_namespace={"enabled": True},
        soft_delete_policy={"retention_duration_seconds": plan.soft_delete_seconds},
        force_destroy=plan.deletable,
        labels=stack.labels,
        opts=pulumi.ResourceOptions.merge(
            stack.in_google,
            pulumi.ResourceOptions(
                # The API must be enabled before its first resource, and no value of the graph says so.
                depends_on=[stack.services],
                delete_before_replace=True,
                protect=not plan.deletable,
            ),
        ),
    )
    return BucketAccess(name=bucket.name, plan=plan)
