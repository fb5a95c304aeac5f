"""The ranges of a stack never overlap, whatever block they are cut from."""

from ipaddress import IPv4Network

import pytest

from planning.addresses import AddressRanges


@pytest.mark.parametrize("prefix", range(8, 17))
def test_ranges_lie_in_the_block_and_apart(prefix: int) -> None:
    block = IPv4Network((int(IPv4Network("10.0.0.0/8").network_address), prefix))
    cut = AddressRanges.cut(block)
    ranges = [cut.nodes, cut.pods, cut.services, *cut.fabric_subnetworks()]
    assert len(ranges) == 3 + 16
    assert all(part.subnet_of(block) for part in ranges)
    assert not any(a.overlaps(b) for index, a in enumerate(ranges) for b in ranges[:index])
