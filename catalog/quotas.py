"""Limits of a Compute Engine project that stop an `up` late: what they count, and what Google's APIs call them."""

from enum import StrEnum
from functools import cache
from pathlib import Path

from pydantic import Field

from catalog._entry import Entry
from catalog.source import read_yaml


class QuotaScope(StrEnum):
    """What a limit is counted over."""

    PROJECT = "project"
    REGION = "region"


class QuotaLimit(Entry):
    """One limit of a project; each name is None where it was not found or that API has no row for it."""

    what: str = Field(description="what is counted, and its unit")
    scope: QuotaScope = Field(description="what it is counted over")
    metric: str | None = Field(
        default=None, description="in `quotas` of projects.get and regions.get of the Compute Engine API"
    )
    quota_id: str | None = Field(default=None, description="of the Cloud Quotas API")
    quota_metric: str | None = Field(
        default=None, description="of the Cloud Quotas API, such as compute.googleapis.com/cpus"
    )
    dimension: str | None = Field(default=None, description="by which the limit is counted besides the region")
    certain: bool = Field(default=True, description="it is sure that it exists and counts these resources")
    note: str | None = Field(default=None, description="what else is known of it")


class CpuLimit(Entry):
    """The limit on vCPUs of some machine series."""

    series: tuple[str, ...]
    limit: QuotaLimit


class ComputeQuotas(Entry):
    sources: tuple[str, ...]
    gpus_all_regions: QuotaLimit
    cpus_all_regions: QuotaLimit
    cpus: tuple[CpuLimit, ...]
    ssd: QuotaLimit
    standard_disks: QuotaLimit
    hyperdisks: QuotaLimit
    local_ssds: QuotaLimit
    preemptible_local_ssds: QuotaLimit
    instances: QuotaLimit
    instance_group_managers: QuotaLimit
    static_addresses: QuotaLimit
    in_use_addresses: QuotaLimit
    networks: QuotaLimit
    subnetworks: QuotaLimit
    routers: QuotaLimit
    firewalls: QuotaLimit
    cluster_firewalls: int = Field(description="rules that GKE makes for a cluster")
    resource_policies: QuotaLimit

    def cpus_of(self, series: str) -> QuotaLimit | None:
        """The limit on vCPUs of a machine series such as `e2`; None: it is not known."""
        return next((each.limit for each in self.cpus if series in each.series), None)


@cache
def compute_quotas() -> ComputeQuotas:
    data = read_yaml(Path(__file__).parent / "quotas.yaml")
    return ComputeQuotas.model_validate(data, by_alias=True, by_name=False)
