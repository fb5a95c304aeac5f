"""Killed after any resource, `up` and `destroy` are run once more and end as if nobody had disturbed them.

A sample of what `make torture` does every night for each resource: the engine has begun a service that takes no inputs
(4), and an object whose name Pulumi chooses (26).
"""

import pytest

from tests.sandbox.conftest import Checkout
from tests.sandbox.torture import torture


@pytest.mark.timeout(1800)
def test_a_killed_up_and_a_killed_destroy_end_as_undisturbed(checkout: Checkout) -> None:
    rows = list(torture(checkout, "dev", (4, 26)))
    assert [(row.k, row.up, row.destroy) for row in rows] == [(row.k, "", "") for row in rows]
    assert all(killed for row in rows for killed in row.killed)
