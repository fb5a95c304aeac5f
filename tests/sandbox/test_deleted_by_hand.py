"""What somebody has deleted by hand, in the cluster or at Google, keeps no stack from being taken down."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sandbox.by_hand import delete_at_google, delete_cluster
from tests.sandbox.conftest import Checkout

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]


@pytest.fixture(autouse=True)
def nothing_left(checkout: Checkout) -> Iterator[None]:
    yield
    assert checkout.processes() == []
    assert not (checkout.folder / ".sandbox").exists()


def home(checkout: Checkout) -> Path:
    return checkout.folder / ".sandbox" / "dev"


def test_a_stack_that_lacks_parts_goes_down(checkout: Checkout) -> None:
    checkout.succeed("up", "dev")
    delete_at_google(home(checkout), "nodePools/l4", "routers/dev-router/dev-nat")
    for what in ("namespace serving --wait=false", "namespace lws-system --wait=false"):
        checkout.succeed("kubectl", "dev", ARGS=f"delete {what}")
    assert "stack dev is gone" in checkout.succeed("destroy", "dev")


def test_a_stack_whose_cluster_is_gone_goes_down_without_asking_it(checkout: Checkout) -> None:
    checkout.succeed("up", "dev")
    delete_cluster(home(checkout), "dev-cluster")
    assert "stack dev is gone" in checkout.succeed("destroy", "dev")
