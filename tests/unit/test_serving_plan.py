"""One model entry becomes the right kind of server, and what a person may not decide is refused by its key path."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from catalog.engine_arguments import flag_table
from config import ConfigurationError, read_stack_file, stack_names
from config.engine import EngineSettings
from planning.plan import ModelServerPlan
from planning.platform import plan_platform
from planning.serving.arguments import expanded
from planning.serving.owned_arguments import canonical
from planning.shape import Pattern
from tests.unit.serving import (
    EIGHT_GPUS,
    GEMMA_1B,
    GEMMA_27B,
    H100_MEGA,
    H200,
    L4,
    ONE_GPU,
    TWO_NODES,
    environment,
    planned,
    platform,
)

CHECKOUT = Path(__file__).parents[2]
TABLE = flag_table("0.33.0")


def refusal(*models: dict[str, Any], **changes: Any) -> str:
    with pytest.raises(ConfigurationError) as caught:
        platform(*models, **changes)
    return str(caught.value)


def value_of(flag: str, arguments: tuple[str, ...]) -> str:
    return arguments[arguments.index(flag) + 1]


class TestPatterns:
    @pytest.mark.parametrize(
        ("model", "pattern", "namespace"),
        [
            (ONE_GPU, Pattern.SINGLE_GPU, "serving"),
            (EIGHT_GPUS, Pattern.SINGLE_NODE, "serving"),
            (TWO_NODES, Pattern.MULTI_NODE, "serving-rdma"),
        ],
    )
    def test_one_entry_gives_each_pattern(self, model: dict[str, Any], pattern: Pattern, namespace: str) -> None:
        plan = planned(model)
        assert (plan.shape.pattern, plan.namespace) == (pattern, namespace)
        assert plan.is_group is (pattern is Pattern.MULTI_NODE)

    def test_a_name_and_a_model_id_are_enough(self) -> None:
        assert planned(GEMMA_1B).arguments[0] == "google/gemma-3-1b-it"

    def test_nodes_are_joined_by_vllm_itself(self) -> None:
        plan = planned(TWO_NODES)
        for arguments in (plan.arguments, plan.worker_arguments):
            assert value_of("--nnodes", arguments) == "2"
            assert value_of("--node-rank", arguments) == "$(LWS_WORKER_INDEX)"
            assert value_of("--master-addr", arguments) == "$(LWS_LEADER_ADDRESS)"
        assert "--headless" in plan.worker_arguments and "--headless" not in plan.arguments
        assert "--port" in plan.arguments and "--port" not in plan.worker_arguments
        assert "--distributed-executor-backend" not in plan.arguments

    def test_leader_and_worker_differ_in_who_listens_and_in_nothing_else(self) -> None:
        plan = planned(TWO_NODES)
        leader = [word for word in plan.arguments if word not in ("--port", "8000")]
        assert leader == [word for word in plan.worker_arguments if word != "--headless"]

    def test_collectives_wait_as_long_as_the_slowest_start(self) -> None:
        plan = planned({"model": "deepseek-ai/DeepSeek-R1-0528"}, pool=H100_MEGA)
        longest = plan.lifecycle.startup_period * plan.lifecycle.startup_failures
        assert longest > 3600
        assert value_of("--distributed-timeout-seconds", plan.arguments) == str(longest)
        assert plan.environment["VLLM_ENGINE_READY_TIMEOUT_S"] == str(longest)

    def test_ray_needs_an_image_of_ones_own(self) -> None:
        assert "needs image" in refusal({**TWO_NODES, "distributedExecutor": "ray"})
        plan = planned({**TWO_NODES, "distributedExecutor": "ray", "image": "example.org/vllm-ray:0.33.0"})
        assert plan.ray and plan.image == "example.org/vllm-ray:0.33.0"
        assert value_of("--distributed-executor-backend", plan.arguments) == "ray"
        assert plan.worker_arguments[0] == "--address=$(LWS_LEADER_ADDRESS):6379"

    def test_ray_on_one_node_is_pointed_out(self) -> None:
        made = platform({**ONE_GPU, "distributedExecutor": "ray", "image": "example.org/vllm-ray:0.33.0"})
        assert any("this server is on one alone" in warning.text for warning in made.warnings)

    @pytest.mark.parametrize("image", ["example.org/vllm", "example.org/vllm:latest", "vllm:0.33.0"])
    def test_an_image_that_may_be_another_tomorrow_is_refused(self, image: str) -> None:
        assert "models[0].image" in refusal({**ONE_GPU, "image": image})


class TestFabric:
    def test_only_servers_over_nodes_get_the_transport(self) -> None:
        assert planned(EIGHT_GPUS).transport is None
        assert not any(name.startswith("NCCL") for name in planned(EIGHT_GPUS).environment)
        assert planned(TWO_NODES).transport is not None

    def test_gib_is_set_as_data_and_its_tuner_is_off(self) -> None:
        variables = planned(TWO_NODES).environment
        assert variables["NCCL_NET"] == "gIB" and variables["NCCL_TUNER_PLUGIN"] == "none"
        assert "NCCL_TUNER_CONFIG_PATH" not in variables and "NCCL_NET_PLUGIN" not in variables

    def test_tcpxo_keeps_the_tuner_that_its_own_checker_wants(self) -> None:
        plan = planned(TWO_NODES, pool=H100_MEGA)
        assert plan.environment["NCCL_TUNER_PLUGIN"] == "libnccl-tuner.so"
        assert plan.environment["NCCL_TUNER_CONFIG_PATH"].endswith(".textproto")

    def test_ranks_find_each_other_on_the_interface_that_every_pod_reaches(self) -> None:
        variables = environment(planned(TWO_NODES))
        assert variables["NCCL_SOCKET_IFNAME"] == variables["GLOO_SOCKET_IFNAME"] == "eth0"
        assert "VLLM_HOST_IP" in variables and variables["VLLM_HOST_IP"] is None

    def test_a_sidecar_is_paid_for_out_of_the_servers_share(self) -> None:
        with_sidecar, without = planned(TWO_NODES, pool=H100_MEGA), planned(EIGHT_GPUS, pool=H100_MEGA)
        beside, offload = with_sidecar.transport, {"engine": {"kvOffload": {"sizeGib": 100_000}}}
        assert beside and (beside.sidecar_cpus, beside.sidecar_memory_gib) == (4, 4) and without.transport is None
        rooms = [
            re.search(r"more than the (\d+) GiB that its share", refusal({**model, **offload}, pool=H100_MEGA))
            for model in (EIGHT_GPUS, TWO_NODES)
        ]
        alone, with_it = (int(room[1]) for room in rooms if room)
        assert alone - with_it == 4

    def test_the_namespace_of_the_fabric_exists_only_where_a_server_is_in_it(self) -> None:
        assert [n.name for n in platform(EIGHT_GPUS).namespaces] == ["serving"]
        assert [n.name for n in platform(TWO_NODES).namespaces] == ["serving", "serving-rdma"]
        assert {n.pod_security for n in platform(ONE_GPU).namespaces} == {"restricted"}


class TestLifecycle:
    @pytest.mark.parametrize("model", [ONE_GPU, EIGHT_GPUS, TWO_NODES])
    def test_shutdown_adds_up(self, model: dict[str, Any]) -> None:
        plan = planned(model)
        assert value_of("--shutdown-timeout", plan.arguments) == str(plan.lifecycle.drain)
        assert plan.lifecycle.grace_period > plan.lifecycle.pre_stop + plan.lifecycle.drain
        assert plan.lifecycle.worker_pre_stop == plan.lifecycle.pre_stop + plan.lifecycle.drain

    def test_the_startup_budget_follows_the_model(self) -> None:
        small, large = planned(ONE_GPU), planned({"model": "meta-llama/Llama-3.1-405B-Instruct"})
        budgets = [p.lifecycle.startup_period * p.lifecycle.startup_failures for p in (small, large)]
        assert budgets[0] >= small.load.total and budgets[1] >= large.load.total
        assert budgets[1] > 5 * budgets[0]

    def test_a_large_model_is_waited_for_inside_the_server_too(self) -> None:
        plan = planned({"model": "meta-llama/Llama-3.1-405B-Instruct"})
        assert int(plan.environment["VLLM_ENGINE_READY_TIMEOUT_S"]) >= plan.load.total > 600

    def test_more_replicas_have_more_time_together_and_no_more_each(self) -> None:
        one, four = planned(ONE_GPU), planned({**ONE_GPU, "replicas": 4})
        assert four.lifecycle.progress_deadline == one.lifecycle.progress_deadline
        assert four.lifecycle.rollout_deadline > 2 * one.lifecycle.rollout_deadline

    def test_shared_memory_and_offloaded_blocks_are_part_of_the_memory(self) -> None:
        without = planned(EIGHT_GPUS).resources
        resources = planned({**EIGHT_GPUS, "engine": {"kvOffload": {"sizeGib": 500}}}).resources
        assert resources.shared_memory_gib == 16
        assert resources.memory_gib == without.memory_gib + 500

    def test_more_offload_than_the_node_has_is_refused_with_what_it_has(self) -> None:
        text = refusal({**ONE_GPU, "engine": {"kvOffload": {"sizeGib": 5000}}})
        assert "models[0].engine.kvOffload.sizeGib" in text and "Write at most" in text

    def test_volumes_fit_into_the_ephemeral_storage(self) -> None:
        resources = planned({**GEMMA_27B, "weights": {"kind": "hub"}}).resources
        volumes = resources.weights_gib + resources.kernels_gib + resources.temporary_gib
        assert volumes < resources.ephemeral_storage_gib


class TestAvailability:
    def test_a_spare_place_is_used_to_surge(self) -> None:
        plan = planned(EIGHT_GPUS)
        assert (plan.rollout.max_surge, plan.rollout.max_unavailable) == (1, 0)

    def test_without_room_one_replica_is_an_outage_and_the_plan_says_so(self) -> None:
        made = platform(EIGHT_GPUS, nodes=1)
        assert (made.models[0].rollout.max_surge, made.models[0].rollout.max_unavailable) == (0, 1)
        assert any("is an outage" in warning.text for warning in made.warnings)

    def test_without_room_several_replicas_go_one_by_one_and_nothing_is_said(self) -> None:
        made = platform({**EIGHT_GPUS, "replicas": 2}, nodes=2)
        assert made.models[0].rollout.max_unavailable == 1
        assert not any("outage of about" in warning.text for warning in made.warnings)

    def test_a_group_surges_only_where_a_whole_group_has_room(self) -> None:
        assert planned(TWO_NODES, nodes=4).rollout.max_surge == 1
        assert planned(TWO_NODES, nodes=3).rollout.max_surge == 0

    def test_models_of_one_size_share_a_spare_place_and_wait_for_each_other(self) -> None:
        alone = planned(EIGHT_GPUS, nodes=2)
        made = platform(EIGHT_GPUS, EIGHT_GPUS, EIGHT_GPUS, nodes=4)
        assert {model.rollout.max_surge for model in made.models} == {1}
        # Each may have to wait for both others before it gets the place.
        longer = made.models[0].lifecycle.progress_deadline - alone.lifecycle.progress_deadline
        assert longer == made.models[0].lifecycle.rollout_deadline - alone.lifecycle.rollout_deadline
        assert longer >= 2 * alone.load.total
        (text,) = [w.text for w in made.warnings if "one after the other" in w.text]
        assert "model-0, model-1, model-2" in text and "one spare place" in text

    def test_models_that_all_have_a_spare_place_wait_for_nobody(self) -> None:
        made = platform(EIGHT_GPUS, EIGHT_GPUS, nodes=4)
        assert made.models[0].lifecycle == planned(EIGHT_GPUS, nodes=2).lifecycle
        assert not any("one after the other" in warning.text for warning in made.warnings)

    def test_one_spare_place_is_not_promised_to_two_sizes(self) -> None:
        made = platform(EIGHT_GPUS, TWO_NODES, nodes=5)
        assert [model.rollout.max_surge for model in made.models] == [0, 1]
        (text,) = [w.text for w in made.warnings if "is an outage" in w.text]
        assert text.startswith("an update of model-0 is an outage") and "keeps its spare room" in text

    def test_a_spare_place_goes_first_to_those_that_would_else_be_away(self) -> None:
        made = platform({**TWO_NODES, "replicas": 2}, EIGHT_GPUS, nodes=7)
        assert [model.rollout.max_surge for model in made.models] == [0, 1]
        assert not any("is an outage" in warning.text for warning in made.warnings)

    def test_one_replica_has_no_budget_that_would_block_every_drain(self) -> None:
        assert planned(ONE_GPU).min_available_pods is None
        assert planned(TWO_NODES).min_available_pods is None

    @pytest.mark.parametrize(("model", "pods"), [(ONE_GPU, 1), (TWO_NODES, 2)])
    def test_a_budget_lets_one_replica_go_at_a_time(self, model: dict[str, Any], pods: int) -> None:
        plan = planned({**model, "replicas": 2})
        # One eviction takes a group's pods with it; then fewer are left than the budget wants, and no other may go.
        assert plan.min_available_pods == 2 * pods - 1
        assert pods < plan.min_available_pods or pods == 1

    def test_replicas_are_spread_only_where_nothing_else_loses_its_place(self) -> None:
        two = {**ONE_GPU, "replicas": 2}
        assert platform(two, nodes=2).models[0].scheduling.spread
        assert not platform(two, EIGHT_GPUS, nodes=2).models[0].scheduling.spread
        assert platform(two, EIGHT_GPUS, nodes=3).models[0].scheduling.spread

    def test_replicas_that_may_share_a_node_are_pointed_out(self) -> None:
        made = platform({**ONE_GPU, "replicas": 2}, EIGHT_GPUS, nodes=2)
        assert any("on one node" in warning.text for warning in made.warnings)


class TestArguments:
    @pytest.mark.parametrize(
        ("engine", "words"),
        [
            ({"dtype": "bfloat16"}, ["--dtype", "bfloat16"]),
            ({"enforceEager": True}, ["--enforce-eager"]),
            ({"enablePrefixCaching": False}, ["--no-enable-prefix-caching"]),
            ({"limitMmPerPrompt": {"image": 2}}, ["--limit-mm-per-prompt", '{"image":2}']),
            ({"toolCallParser": "pythonic"}, ["--tool-call-parser", "pythonic", "--enable-auto-tool-choice"]),
            (
                {"kvOffload": {"sizeGib": 64, "backend": "lmcache"}},
                ["--kv-offloading-size", "64", "--kv-offloading-backend", "lmcache"],
            ),
            (
                {"speculative": {"method": "ngram", "tokens": 4, "promptLookupMax": 4}},
                ["--speculative-config", '{"method":"ngram","num_speculative_tokens":4,"prompt_lookup_max":4}'],
            ),
            (
                {"lora": {"adapters": [{"name": "sql", "path": "acme/sql-lora"}], "maxLoraRank": 32}},
                ["--enable-lora", "--max-loras", "1", "--max-lora-rank", "32", "--lora-modules", "sql=acme/sql-lora"],
            ),
            ({"extraArgs": ["--enable-mfu-metrics"]}, ["--enable-mfu-metrics"]),
        ],
    )
    def test_each_setting_is_its_words_of_the_command_line(self, engine: dict[str, Any], words: list[str]) -> None:
        arguments = list(planned({**ONE_GPU, "engine": engine}).arguments)
        start = arguments.index(words[0])
        assert arguments[start : start + len(words)] == words
        assert TABLE.check(arguments) == []

    @pytest.mark.parametrize("field", sorted(set(EngineSettings.model_fields) - {"lora", "speculative", "kv_offload"}))
    def test_every_typed_argument_is_a_flag_of_the_pinned_release(self, field: str) -> None:
        if field != "extra_args":
            assert f"--{field.replace('_', '-')}" in TABLE.by_name

    @pytest.mark.parametrize(
        ("engine", "path"),
        [
            ({"dtype": "fp16"}, "engine.dtype"),
            ({"loadFormat": "safetensor"}, "engine.loadFormat"),
            ({"toolCallParser": "hermess"}, "engine.toolCallParser"),
            ({"lora": {"maxLoraRank": 17}}, "engine.lora"),
            ({"speculative": {"method": "guess", "tokens": 2}}, "engine.speculative.method"),
            ({"speculative": {"method": "eagle3", "tokens": 2}}, "engine.speculative.model"),
            ({"extraArgs": ["--swap-space", "4"]}, "engine.extraArgs"),
            ({"quantization": "awq"}, "engine.quantization"),
        ],
    )
    def test_an_illegal_value_is_refused_by_its_key_path(self, engine: dict[str, Any], path: str) -> None:
        assert f"inference-platform:models[0].{path}" in refusal({**ONE_GPU, "engine": engine})

    @pytest.mark.parametrize(
        "words",
        [
            ["--port", "9000"],
            ["--port=9000"],
            ["--host", "127.0.0.1"],
            ["-tp", "4"],
            ["-tp=4"],
            ["--tensor_parallel_size", "4"],
            ["--pipeline-parallel-size", "2"],
            ["--data-parallel-size", "2"],
            ["-ep"],
            ["--api-key", "secret"],
            ["--served-model-name", "other"],
            ["--nnodes", "2"],
            ["--headless"],
            ["--distributed-executor-backend", "ray"],
            ["--max-model-len", "4096"],
            ["--gpu-memory-utilization", "0.5"],
            ["--shutdown-timeout", "0"],
            ["--ssl-keyfile", "/key"],
            ["--trust-remote-code"],
            ["--quantization", "fp8"],
            ["--speculative-config.method", "ngram"],
            ["--kv-offloading-size", "64"],
        ],
        ids=" ".join,
    )
    def test_what_the_platform_owns_is_not_for_extra_args(self, words: list[str]) -> None:
        text = refusal({**ONE_GPU, "engine": {"extraArgs": words}})
        assert "models[0].engine.extraArgs" in text and "is not for extraArgs" in text

    def test_flags_are_known_by_all_their_names(self) -> None:
        assert {canonical(word, TABLE) for word in ("-tp", "-tp=2", "--tensor_parallel_size=2")} == {
            "--tensor-parallel-size"
        }

    @pytest.mark.parametrize(
        ("model", "pool"),
        [(ONE_GPU, H200), (EIGHT_GPUS, H200), (TWO_NODES, H200), (TWO_NODES, H100_MEGA), (GEMMA_1B, L4)],
    )
    def test_every_command_line_is_legal_for_the_pinned_release(
        self, model: dict[str, Any], pool: dict[str, Any]
    ) -> None:
        plan = planned(model, pool=pool)
        for line in command_lines(plan):
            assert TABLE.check(line) == []
        assert {name for name in environment(plan) if name.startswith("VLLM_")} <= TABLE.environment_variables


STACKS = stack_names(CHECKOUT)


@pytest.mark.parametrize("stack", STACKS)
def test_every_command_line_and_variable_of_every_stack_is_the_pinned_releases(stack: str) -> None:
    for plan in plan_platform(read_stack_file(CHECKOUT, stack), stack).models:
        for line in command_lines(plan):
            assert TABLE.check(line) == []
        assert {name for name in environment(plan) if name.startswith("VLLM_")} <= TABLE.environment_variables


def command_lines(plan: ModelServerPlan) -> Iterator[list[str]]:
    """As the containers of each pod of a replica get them."""
    yield expanded(plan.arguments, 0)
    if plan.worker_arguments:
        yield expanded(plan.worker_arguments, 1)


class TestMemory:
    def test_quantising_at_load_halves_the_weights_and_not_the_download(self) -> None:
        plain, small = planned(GEMMA_27B), planned({**GEMMA_27B, "engine": {"quantization": "fp8"}})
        ratio = small.shape.memory.weights_gib / plain.shape.memory.weights_gib
        assert 0.5 < ratio < 0.65
        assert small.load.fetch == plain.load.fetch

    def test_adapters_take_memory_by_slots_and_rank(self) -> None:
        def weights(**lora: int) -> float:
            return planned({**ONE_GPU, "engine": {"lora": lora}}).shape.memory.weights_gib

        base = planned(ONE_GPU).shape.memory.weights_gib
        one, two, four = weights(maxLoras=1), weights(maxLoras=2), weights(maxLoras=4)
        wide = weights(maxLoras=1, maxLoraRank=64)
        assert base < one < two < four
        assert (four - one) == pytest.approx(3 * (two - one))
        assert (wide - one) == pytest.approx(3 * (two - one))

    def test_a_draft_model_takes_memory(self) -> None:
        draft = {"speculative": {"method": "draft_model", "tokens": 3, "model": "google/gemma-3-1b-it"}}
        with_draft = planned({**GEMMA_27B, "engine": draft}).shape.memory
        without = planned(GEMMA_27B).shape.memory
        assert 1.5 < with_draft.weights_gib - without.weights_gib < 2.5
        assert with_draft.kv_cache_tokens < without.kv_cache_tokens

    def test_a_draft_of_unknown_size_is_a_warning(self) -> None:
        draft = {"speculative": {"method": "eagle3", "tokens": 3, "model": "acme/eagle-head"}}
        made = platform({**GEMMA_27B, "engine": draft})
        assert any("its memory not counted" in warning.text for warning in made.warnings)

    def test_eager_mode_charges_no_graphs(self) -> None:
        assert planned({**GEMMA_27B, "engine": {"enforceEager": True}}).shape.memory.graphs_gib == 0
