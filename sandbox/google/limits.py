"""The limits of the project and what it uses of them, for a project whose owner asked for more than a new one has."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from sandbox.cloud.resources.common import FIREWALL, NETWORK, NODE_POOL, ROUTER, SUBNETWORK
from sandbox.cloud.resources.node_config import consumption
from sandbox.cloud.situation import Limit
from sandbox.cloud.tables import Consumption, region_of
from sandbox.google.reply import Asked, Json, Reply, Routes, not_found, ok
from sandbox.rows import load

quotas = Routes("/cloudquotas/v1", "cloudquotas.googleapis.com")

_COUNTED = {"NETWORKS": NETWORK, "SUBNETWORKS": SUBNETWORK, "FIREWALLS": FIREWALL, "ROUTERS": ROUTER}


@cache
def _table() -> dict[str, Any]:
    return load(Path(__file__).parent / "limits.yaml")


def regional_limits(asked: Asked, region: str) -> list[Json]:
    used = dict(_gpus(asked, region))
    limits = {metric: Limit(limit=limit, usage=used.get(metric, 0)) for metric, limit in _table()["regional"].items()}
    return _rows({**limits, **asked.situation.regional_limits})


def project_limits(asked: Asked) -> list[Json]:
    limits = {
        metric: Limit(limit=limit, usage=sum(1 for _ in asked.state.of(_COUNTED[metric])) if metric in _COUNTED else 0)
        for metric, limit in _table()["project"].items()
    }
    return _rows({**limits, **asked.situation.project_limits})


def _rows(limits: dict[str, Limit]) -> list[Json]:
    return [
        {"metric": metric, "limit": float(each.limit), "usage": float(each.usage)} for metric, each in limits.items()
    ]


def _gpus(asked: Asked, region: str) -> Iterator[tuple[str, int]]:
    """The GPUs of node pools in the region, by the metric that they count against."""
    used: dict[str, int] = {}
    for _, pool in asked.state.of(NODE_POOL):
        zones = [zone for zone in pool.properties.texts("nodeLocations") if region_of(zone) == region]
        preemptible = consumption(pool.properties) not in (Consumption.ON_DEMAND, Consumption.RESERVATION)
        for gpu in pool.properties.items("nodeConfig.guestAccelerators"):
            metric = _table()["metrics"].get(gpu.text("type"))
            if metric:
                name = f"PREEMPTIBLE_{metric}" if preemptible else metric
                nodes = (pool.properties.number("nodeCount") or 0) * len(zones)
                used[name] = used.get(name, 0) + nodes * (gpu.number("count") or 0)
    yield from used.items()


@quotas(
    "GET",
    "/projects/{project}/locations/global/services/{service}/quotaInfos/{quota}",
    "cloudquotas.quotas.get",
)
def quota_info(asked: Asked) -> Reply:
    """The quota of a GPU family, which is in no region's limits and so only here."""
    quota, service = asked.names["quota"], asked.names["service"]
    name = f"projects/{asked.names['project']}/locations/global/services/{service}/quotaInfos/{quota}"
    table: Json | None = _table()["cloud"].get(quota)
    if table is None:
        return not_found(name)
    locations = sorted(asked.tables.locations.regions)
    dimension: str | None = table.get("dimension")
    told = asked.situation.cloud_quotas
    values: dict[str, int] = {**table.get("values", {}), **told} if dimension else {}
    value = told.get(quota, table.get("value", 0))
    rows: list[Json] = [{"details": {"value": str(value)}, "applicableLocations": locations}]
    rows += [
        {"dimensions": {dimension: family}, "details": {"value": str(value)}, "applicableLocations": locations}
        for family, value in values.items()
    ]
    return ok(
        {
            "name": name,
            "quotaId": quota,
            "service": service,
            "isPrecise": True,
            "containerType": "PROJECT",
            "dimensions": ["region", *([dimension] if dimension else [])],
            "dimensionsInfos": rows,
        }
    )
