"""GKE versions: what a request for one resolves to, and whether it is new enough for a machine."""

import re
from collections.abc import Iterable

# What the sandbox's control plane really runs, in GKE's notation.
DEFAULT_VERSION = "1.36.3-gke.1000000"

NETWORKING_DEVICE_CLASSES = "1.34.1-gke.1829001"
"""From here on GKE installs the device classes of its managed DRANET."""

Version = tuple[int, ...]


def resolve(wanted: str | None) -> str:
    """The version that GKE resolves a request to: a full one as it is, a prefix to its newest."""
    if wanted is None or DEFAULT_VERSION.startswith(wanted):
        return DEFAULT_VERSION
    if "-gke." in wanted:
        return wanted
    wanted = wanted.rstrip(".")
    return f"{wanted}{'.0' * (2 - wanted.count('.'))}-gke.1000000"


def parse(text: str) -> Version:
    """`1.34.5-gke.1153000` as numbers that compare as versions do."""
    return tuple(int(number) for number in re.findall(r"\d+", text))


def at_least(version: str, floor: str) -> bool:
    return parse(version) >= parse(floor)


def meets(version: str, floors: Iterable[str]) -> bool:
    """Whether it is at or above the floor of its own minor version, or, if that has none, above the lowest of all."""
    known = sorted(parse(floor) for floor in floors)
    if not known:
        return True
    found = parse(version)
    return found >= next((floor for floor in known if floor[:2] == found[:2]), known[0])
