"""Facts about Google's NCCL tests and plugins, read from images.yaml."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

CHECKER_FILE = "NCCL_SHIMNET_GUEST_CONFIG_CHECKER_CONFIG_FILE"
TUNER_FILE = "NCCL_TUNER_CONFIG_PATH"
ABORTED = 134
"""The exit status of a process that aborts, as one does that the guest configuration checker refuses."""

_TABLE = Path(__file__).with_name("images.yaml")


@dataclass(frozen=True)
class NcclImage:
    """The image of a two-node test. `gbytes_per_second` is the highest bus bandwidth that Google shows of it, in
    GB/s."""

    scripts: tuple[str, ...]
    programs: tuple[str, ...]
    nccl: str
    gbytes_per_second: float


@dataclass(frozen=True)
class GuestConfiguration:
    """The environment that GPUDirect-TCPXO's checker wants of a workload, for one of the files that it can be given."""

    tuner_configuration: str
    wanted: Mapping[str, str]
    flagged: tuple[str, ...]


def nccl_image(reference: str) -> NcclImage | None:
    """The test image that a reference names; None if it is not one of Google's tests. If two names fit, the longer one
    counts."""
    repository = reference.split("@")[0].rsplit(":", 1)[0]
    names = [name for name in _table()["images"] if repository.endswith(f"/{name}")]
    if not names:
        return None
    found = _table()["images"][max(names, key=len)]
    return NcclImage(tuple(found["scripts"]), tuple(found["programs"]), found["nccl"], found["gbytesPerSecond"])


def guest_configurations() -> dict[str, GuestConfiguration]:
    return {
        name: GuestConfiguration(found["tunerConfiguration"], found["wanted"], tuple(found["flagged"]))
        for name, found in _table()["guestConfigurations"].items()
    }


def refusal(environment: Mapping[str, str]) -> str | None:
    """The reason for which the guest configuration checker would abort a workload with this environment. None: it would
    not, or it is not asked."""
    asked = environment.get(CHECKER_FILE)
    if asked is None:
        return None
    configuration = guest_configurations().get(PurePosixPath(asked).name)
    if configuration is None:
        return f"guest config checker: {asked} is not there"
    tuner = PurePosixPath(environment.get(TUNER_FILE, ""))
    if tuner.name != configuration.tuner_configuration or tuner.parent != PurePosixPath(asked).parent:
        return f"guest config checker: {TUNER_FILE}={tuner} is not the file that goes with {asked}"
    for name, value in configuration.wanted.items():
        if environment.get(name) != value:
            found = environment.get(name, "not set")
            return f"guest config checker: {name} is {found}, and {asked} wants {value}"
    return None


@cache
def _table() -> dict[str, Any]:
    return yaml.safe_load(_TABLE.read_text(encoding="utf-8"))
