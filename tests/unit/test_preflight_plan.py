"""Which pools are tested before a server uses them, and how much bandwidth is enough."""

from typing import Any

import pytest

from components.manifests.nccl_preflight import preflight as job_of
from config import ConfigurationError
from config.validate import validate
from planning.plan import PlatformPlan
from planning.platform import plan_platform
from tests.unit.serving import H200, L4, ONE_GPU, TWO_NODES, platform


def test_a_new_pool_of_two_nodes_with_a_fabric_is_tested() -> None:
    (preflight,) = platform(ONE_GPU, nodes=2).preflights
    assert preflight.node_pool == "gpu" and preflight.gpus_per_node == 8
    assert preflight.environment["NCCL_NET"] == "gIB"
    assert platform(ONE_GPU, nodes=1).preflights == ()
    assert platform(ONE_GPU, pool=L4, nodes=2).preflights == ()


def test_the_floor_is_a_part_of_the_fabrics_rate_and_says_of_what() -> None:
    (preflight,) = platform(ONE_GPU, nodes=2).preflights
    assert preflight.floor_gbytes_per_second == 200
    assert preflight.floor_reason.startswith("0.5 of the 400 GB/s that their fabric has; 336.67 were measured")


def test_the_stack_file_lowers_the_floor() -> None:
    (preflight,) = _with_preflight(120, nodes=2).preflights
    assert preflight.floor_gbytes_per_second == 120
    assert preflight.floor_reason == "preflight.minimumBusBandwidth of the stack file; the plan's own is 200"


def test_more_than_the_fabric_has_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"preflight\.minimumBusBandwidth: the fabric has 400 GB/s") as error:
        _with_preflight(401, nodes=2)
    assert "Write at most 400" in str(error.value)


@pytest.mark.parametrize("value", [-1, "many", float("nan")])
def test_what_is_no_bandwidth_is_one_error(value: object) -> None:
    with pytest.raises(ConfigurationError, match=r"preflight\.minimumBusBandwidth"):
        _with_preflight(value, nodes=2)


def test_a_floor_that_nothing_is_held_to_is_a_warning() -> None:
    assert any(each.path.endswith("preflight") for each in _with_preflight(120, nodes=1).warnings)


def test_the_nccl_of_every_server_over_nodes_is_named() -> None:
    (preflight,) = platform(TWO_NODES, ONE_GPU).preflights
    (server,) = preflight.servers
    assert (server.server, server.image, server.nccl) == ("model-0", "docker.io/vllm/vllm-openai:v0.33.0", "2.30.7")


def test_the_job_fails_at_once_by_its_limit_and_a_node_that_is_taken_away_does_not_count() -> None:
    """Pulumi never hears of a FailJob rule: it would wait for the deadline."""
    (preflight,) = platform(ONE_GPU, nodes=2).preflights
    spec = job_of(preflight, "0a1b2c3d")["spec"]
    disrupted = {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}
    assert spec["podFailurePolicy"]["rules"] == [disrupted]
    assert spec["backoffLimit"] == 0 and spec["template"]["spec"]["restartPolicy"] == "Never"


def _with_preflight(minimum: object, **pool: Any) -> PlatformPlan:
    values = {
        "region": "us-central1",
        "nodePools": [{**H200, **pool}],
        "models": [{"name": "model-0", **ONE_GPU}],
        "preflight": {"minimumBusBandwidth": minimum},
    }
    return plan_platform(validate("test", values, frozenset(), to_deploy=False), "test")
