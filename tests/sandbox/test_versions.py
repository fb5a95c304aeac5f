"""The catalogue's release channels and the stand-in's, read from Google's notes apart, are laid side by side."""

import pytest

from catalog import ACCELERATORS, GKE_CHANNELS
from sandbox.cloud.versions import CHANNELS, offered

DISAGREE: dict[str, tuple[str, ...]] = {}
"""By channel, the minor versions that one of the two has and the other has not, each with the reason beside it."""


@pytest.mark.parametrize("channel", GKE_CHANNELS)
def test_catalogue_and_stand_in_agree_on_a_channel_but_for_what_is_listed(channel: str) -> None:
    row = GKE_CHANNELS[channel]
    every = sorted({minor for minors in CHANNELS.values() for minor in minors} | {"1.30", "1.38"})
    known = {minor for minor in every if not row.is_over(minor) and not row.is_yet_to_come(minor)}
    assert known ^ set(CHANNELS[channel.upper()]) == set(DISAGREE.get(channel, ()))


@pytest.mark.parametrize("channel", GKE_CHANNELS)
def test_google_has_what_the_plan_asks_for_by_itself(channel: str) -> None:
    prefixes = {accelerator.gke.default_prefix for accelerator in ACCELERATORS.values()}
    for prefix in prefixes:
        assert prefix and offered(GKE_CHANNELS[channel].nearest(prefix.rstrip(".")), channel.upper())
