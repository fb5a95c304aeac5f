"""The entries of the catalogue, as parameters of tests, and all that stands in one."""

import contextlib
from collections.abc import Iterator
from typing import Any, cast

import pytest

from catalog import (
    ACCELERATORS,
    ALERTS,
    CHART_RELEASES,
    FEES,
    GKE_CHANNELS,
    GKE_FEATURES,
    GKE_RELEASES,
    INSTALLER_RELEASES,
    NETWORK_PROFILES,
    NODE_DAEMONS,
    REGION_PRICES,
    VLLM_RELEASES,
    Accelerator,
    Entries,
    Entry,
    InvalidEntry,
)
from catalog.release import Copy

FOLDERS: dict[str, Entries[Any]] = {
    "accelerators": ACCELERATORS,
    "alerts": ALERTS,
    "charts": CHART_RELEASES,
    "fees": FEES,
    "features": GKE_FEATURES,
    "channels": GKE_CHANNELS,
    "gke": GKE_RELEASES,
    "installers": INSTALLER_RELEASES,
    "network profiles": NETWORK_PROFILES,
    "daemons": NODE_DAEMONS,
    "prices": REGION_PRICES,
    "vllm": VLLM_RELEASES,
}
EVERY_ENTRY = [pytest.param(folder, name, id=f"{kind}/{name}") for kind, folder in FOLDERS.items() for name in folder]


def readable() -> Iterator[Accelerator]:
    """The accelerators whose files are right: a wrong one fails the test that bears its name, and no other."""
    for name in ACCELERATORS:
        with contextlib.suppress(InvalidEntry):
            yield ACCELERATORS[name]


every_entry = pytest.mark.parametrize(("folder", "name"), EVERY_ENTRY)
every_accelerator = pytest.mark.parametrize("accelerator", [pytest.param(entry, id=entry.name) for entry in readable()])
every_machine = pytest.mark.parametrize(
    ("accelerator", "machine"),
    [pytest.param(entry, machine, id=machine.name) for entry in readable() for machine in entry.machine_types],
)


def cited(entry: Entry) -> set[str]:
    """The keys of the sources that an entry names, at any depth."""
    found: set[str] = set()
    for owner, name, value in values(entry):
        if name == "sources":
            found.update(value)
        elif name == "source" and not isinstance(owner, Copy):
            found.add(value)
    return found


def values(entry: object) -> Iterator[tuple[Entry, str, Any]]:
    """Every field at or below an entry: whose it is, its name and its value."""
    if isinstance(entry, Entry):
        for name in type(entry).model_fields:
            value = getattr(entry, name)
            yield entry, name, value
            yield from values(value)
    elif isinstance(entry, dict):
        for value in cast(dict[Any, Any], entry).values():
            yield from values(value)
    elif isinstance(entry, tuple):
        for value in cast(tuple[Any, ...], entry):
            yield from values(value)
