"""Kubernetes Engine: the versions of each release channel, and an existing cluster."""

from sandbox.cloud.resources.common import CLUSTER
from sandbox.cloud.resources.pool_size import pools_of
from sandbox.google.reply import Asked, Json, Reply, Routes, not_found, ok

container = Routes("/container/v1", "container.googleapis.com")

# Minor versions of each channel by GKE's release notes up to 2026-09, newest first; the second is the default.
_CHANNELS = {
    "RAPID": ("1.37.0-gke.1000000", "1.36.3-gke.1000000", "1.35.4-gke.1000000", "1.34.8-gke.1000000"),
    "REGULAR": ("1.36.3-gke.1000000", "1.35.4-gke.1000000", "1.34.8-gke.1000000"),
    "STABLE": ("1.35.4-gke.1000000", "1.34.8-gke.1000000"),
}


@container("GET", "/projects/{project}/locations/{location}/serverConfig", "container.clusters.list")
def server_config(asked: Asked) -> Reply:
    offered = asked.situation.channels or _CHANNELS
    channels: list[Json] = [
        {"channel": name, "defaultVersion": versions[min(1, len(versions) - 1)], "validVersions": list(versions)}
        for name, versions in offered.items()
    ]
    every = sorted({version for versions in offered.values() for version in versions}, reverse=True)
    return ok({"channels": channels, "defaultClusterVersion": every[-1], "validMasterVersions": every})


@container("GET", "/projects/{project}/locations/{location}/clusters/{cluster}", "container.clusters.get")
def cluster(asked: Asked) -> Reply:
    id_ = "projects/{project}/locations/{location}/clusters/{cluster}".format(**asked.names)
    found = asked.state.get(CLUSTER, id_)
    if found is None:
        return not_found(id_)
    pools = [
        {
            "name": pool_id.rpartition("/")[2],
            "instanceGroupUrls": record.properties.texts("instanceGroupUrls"),
            "status": "RUNNING",
        }
        for pool_id, record in pools_of(asked.state, id_)
    ]
    return ok(
        {"name": asked.names["cluster"], "location": asked.names["location"], "status": "RUNNING", "nodePools": pools}
    )
