"""Decides which bucket keeps weights, who may read and who may fill it, and what is filled."""

import re
from math import ceil

from catalog.cold_start import WeightSource, cold_start
from config.settings import Settings
from planning.environment import SERVING_ACCOUNT
from planning.errors import Findings
from planning.plan import BucketAccountPlan, BucketFillPlan, BucketUse, ModelServerPlan, WeightsBucketPlan
from planning.serving.namespaces import SERVING

_FILL_ACCOUNT = "weights-fill"
_PATIENCE = 1.5
"""The hub's rate is an estimate: a fill that takes half as long again is slow, not stuck."""
_BESIDE = 1200
"""Seconds for the pod's node and image, and for files that are tried again."""


def plan_bucket(settings: Settings, prefix: str, findings: Findings) -> WeightsBucketPlan | None:
    """The bucket; None: the stack has none."""
    wanted = settings.weights_bucket
    if wanted is None:
        for index, model in enumerate(settings.models):
            if model.weights is not None and model.weights.kind is WeightSource.BUCKET:
                findings.refuse(
                    f"models[{index}].weights.kind",
                    "bucket is not possible: the stack has no bucket",
                    "Write weightsBucket: {} for one of its own, or weightsBucket: {existing: NAME}",
                )
        return None
    facts = cold_start().bucket
    name = wanted.existing or f"{_of_project(settings)}-{prefix}-weights"
    if wanted.existing is None and ("google" in name or name.startswith("goog")):
        findings.refuse(
            "weightsBucket",
            f"{name} cannot be its name: Google takes no name with google in it",
            "Make a bucket by hand, and write weightsBucket: {existing: NAME}",
        )
    if wanted.existing is not None:
        findings.warn(
            "weightsBucket.existing",
            f"see that it is in {settings.region}: from elsewhere reading is slow and costs; and that it has a "
            "hierarchical namespace and uniform access",
        )
    return WeightsBucketPlan(
        name=name,
        location=settings.region,
        exists=wanted.existing is not None,
        deletable=wanted.deletable,
        soft_delete_seconds=facts.soft_delete_seconds,
        reader=BucketAccountPlan(
            account_id=f"{prefix}-serving", service_account=SERVING_ACCOUNT, roles=facts.reader_roles
        ),
        writer=BucketAccountPlan(account_id=f"{prefix}-fill", service_account=_FILL_ACCOUNT, roles=facts.writer_roles),
    )


def bucket_use(bucket: WeightsBucketPlan, repository: str, revision: str | None) -> BucketUse:
    """A checkpoint's part in the bucket. Servers of one repository and revision share it, in all stacks."""
    at = revision or "main"
    folder = "/".join(re.sub("/", "--", part) for part in (repository, at))
    return BucketUse(
        bucket=bucket.name,
        folder=f"models/{folder}",
        repository=repository,
        revision=at,
        service_account=bucket.reader.service_account,
    )


def plan_fills(bucket: WeightsBucketPlan | None, models: tuple[ModelServerPlan, ...]) -> tuple[BucketFillPlan, ...]:
    """One Job for each checkpoint, however many servers read it."""
    fills: dict[str, BucketFillPlan] = {}
    for model in models:
        use = model.weights.bucket
        if bucket is None or use is None or use.folder in fills:
            continue
        seconds = next(option.first.fetch for option in model.weights.options if option.source is WeightSource.HUB)
        fills[use.folder] = BucketFillPlan(
            name=f"{model.name}-fill",
            namespace=SERVING,
            use=use,
            image=model.image,
            service_account=bucket.writer.service_account,
            node_pool=model.node_pool,
            taints=model.taints,
            deadline=ceil(seconds * _PATIENCE) + _BESIDE,
        )
    return tuple(fills.values())


def _of_project(settings: Settings) -> str:
    """The project's id as a part of a name; PROJECT where the stack file does not name it yet."""
    return re.sub("[:.]", "-", settings.project) if settings.project else "PROJECT"
