"""Prices are known or explicitly unknown, and those of one family agree with each other."""

import pytest

from catalog import (
    ACCELERATORS,
    FEES,
    REGION_PRICES,
    Accelerator,
    CapacityKind,
    MachineType,
    PriceKind,
    price,
)
from tests.unit.catalog_entries import every_machine


class TestPrices:
    @every_machine
    @pytest.mark.parametrize("kind", list(CapacityKind))
    def test_a_price_is_known_or_explicitly_unknown(
        self, accelerator: Accelerator, machine: MachineType, kind: CapacityKind
    ) -> None:
        found = price(machine.name, "us-central1", kind)
        assert found is None or (found.usd > 0 and found.as_of.year >= 2025)

    def test_nobody_publishes_a_price_of_gb200_or_gb300(self) -> None:
        for machine in ("a4x-highgpu-4g", "a4x-maxgpu-4g-metal"):
            for region in REGION_PRICES:
                assert all(price(machine, region, kind) is None for kind in [*CapacityKind, *PriceKind])

    def test_a_region_or_machine_that_is_not_listed_is_unknown(self) -> None:
        assert price("g2-standard-4", "mars-north1", CapacityKind.SPOT) is None
        assert price("z9-standard-4", "us-central1", CapacityKind.SPOT) is None

    def test_the_newest_of_several_is_taken(self) -> None:
        found = price("a3-highgpu-8g", "us-central1", CapacityKind.SPOT)
        assert found is not None
        assert (found.usd, found.as_of.isoformat()) == (52.962297, "2026-09-17")

    def test_the_worked_check_of_an_h200_node_adds_up(self) -> None:
        fee = FEES["us-central1"].cluster_hour.usd
        system = price("e2-standard-8", "us-central1", CapacityKind.ON_DEMAND)
        assert system is not None
        for kind, total in ((PriceKind.ON_DEMAND, 85.44), (PriceKind.CALENDAR, 60.00), (PriceKind.SPOT, 51.51)):
            node = price("a3-ultragpu-8g", "us-central1", kind)
            assert node is not None
            assert node.usd + 2 * system.usd + fee == pytest.approx(total, abs=0.005)

    @pytest.mark.parametrize("region", list(REGION_PRICES))
    def test_g2_follows_from_its_two_cited_shapes(self, region: str) -> None:
        """The fee of four vCPUs and 16 GiB is half of what the 12 costs more than the 4; the rest is the GPU."""
        small = price("g2-standard-4", region, CapacityKind.ON_DEMAND)
        middle = price("g2-standard-12", region, CapacityKind.ON_DEMAND)
        if small is None or middle is None:
            assert price("g2-standard-8", region, CapacityKind.ON_DEMAND) is None
            return
        step = (middle.usd - small.usd) / 2
        for machine in ACCELERATORS["l4"].machine_types:
            found = price(machine.name, region, CapacityKind.ON_DEMAND)
            assert found is not None
            expected = machine.gpus * (small.usd - step) + machine.vcpus / 4 * step
            assert found.usd == pytest.approx(expected, abs=2e-4)

    @pytest.mark.parametrize("region", list(REGION_PRICES))
    @pytest.mark.parametrize(
        ("one", "many", "factor"),
        [
            ("g4-standard-48", "g4-standard-384", 8),
            ("a2-highgpu-1g", "a2-highgpu-4g", 4),
            ("a2-ultragpu-1g", "a2-ultragpu-8g", 8),
            ("a3-highgpu-2g", "a3-highgpu-8g", 4),
        ],
    )
    def test_other_families_cost_by_the_gpu(self, region: str, one: str, many: str, factor: int) -> None:
        unit, whole = (price(machine, region, CapacityKind.ON_DEMAND) for machine in (one, many))
        assert (unit is None) == (whole is None)
        if unit is not None and whole is not None:
            assert whole.usd == pytest.approx(unit.usd * factor, rel=1e-4)

    @pytest.mark.parametrize("region", list(REGION_PRICES))
    def test_spot_is_below_the_list_price(self, region: str) -> None:
        for machine in REGION_PRICES[region].machine_types:
            listed = price(machine, region, PriceKind.ON_DEMAND)
            spot = price(machine, region, PriceKind.SPOT)
            assert listed is None or spot is None or spot.usd < listed.usd, machine
