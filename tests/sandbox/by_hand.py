"""What somebody does at Google past Pulumi, in the stand-in's own record."""

from pathlib import Path

from sandbox.cloud.store import Store
from sandbox.cluster import ControlPlane


def delete_at_google(home: Path, *ends: str) -> None:
    """Takes the resources whose ids end so from the stand-in's record, as somebody does at Google's console."""
    with Store(home / "cloud.json").transaction() as state:
        gone = [id_ for id_ in state.resources if id_.endswith(ends)]
        assert len(gone) == len(ends), (ends, list(state.resources))
        for id_ in gone:
            del state.resources[id_]


def delete_cluster(home: Path, name: str) -> None:
    """With its node pools, as Google does."""
    with Store(home / "cloud.json").transaction() as state:
        for id_ in [id_ for id_ in state.resources if f"/clusters/{name}" in id_]:
            del state.resources[id_]
    ControlPlane(home / "clusters" / name).destroy()
