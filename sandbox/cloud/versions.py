"""GKE versions: which version a request leads to, and whether it is new enough for a machine."""

import re
from collections.abc import Iterable

# The version that the sandbox's control plane really runs, in GKE's notation.
DEFAULT_VERSION = "1.36.3-gke.1000000"

NETWORKING_DEVICE_CLASSES = "1.34.1-gke.1829001"
"""The first version in which GKE installs the device classes of its managed DRANET."""

CHANNELS = {
    "RAPID": ("1.34", "1.35", "1.36", "1.37"),
    "REGULAR": ("1.34", "1.35", "1.36"),
    "STABLE": ("1.34", "1.35"),
    "EXTENDED": ("1.31", "1.32", "1.33", "1.34", "1.35", "1.36"),
    "UNSPECIFIED": ("1.34", "1.35", "1.36"),
}
"""The minor versions that each channel offers for a new cluster, by GKE's release notes in the week of 2026-R38."""

NEWEST = {
    "1.34": "1.34.11-gke.1056000",
    "1.35": "1.35.8-gke.1380000",
    "1.37": "1.37.0-gke.3165000",
}
"""The newest patch of each minor version in that week."""

NO_CHANNEL = "UNSPECIFIED"

Version = tuple[int, ...]


def offered(version: str, channel: str) -> bool:
    """Whether the channel offers that version, or its minor version, for a cluster."""
    return ".".join(version.split(".")[:2]) in CHANNELS[channel]


def resolve(wanted: str | None) -> str:
    """The version that GKE chooses for a request: a full version as it is, the newest one for a prefix."""
    if wanted is None or DEFAULT_VERSION.startswith(wanted):
        return DEFAULT_VERSION
    if "-gke." in wanted:
        return wanted
    wanted = wanted.rstrip(".")
    if wanted in NEWEST:
        return NEWEST[wanted]
    return f"{wanted}{'.0' * (2 - wanted.count('.'))}-gke.1000000"


def parse(text: str) -> Version:
    """The numbers of a version such as `1.34.5-gke.1153000`, which compare as versions do."""
    return tuple(int(number) for number in re.findall(r"\d+", text))


def at_least(version: str, floor: str) -> bool:
    return parse(version) >= parse(floor)


def meets(version: str, floors: Iterable[str]) -> bool:
    """Whether a version is at or above the floor of its own minor version. If its minor version has none, the lowest
    floor of all counts."""
    known = sorted(parse(floor) for floor in floors)
    if not known:
        return True
    found = parse(version)
    return found >= next((floor for floor in known if floor[:2] == found[:2]), known[0])
