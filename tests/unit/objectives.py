"""Ten objectives as teams have them, for the tests of the choice."""

from dataclasses import dataclass

from catalog import MODELS
from config.objective import ServiceObjective
from planning.performance.choice import ServiceChoice, choose_service
from planning.shape import ShapeRequest
from tests.unit.questions import question

VLLM = "0.33.0"


@dataclass(frozen=True)
class Case:
    """An objective, where it is asked, and the shape that an engineer would expect: GPUs of a replica, and replicas."""

    what: str
    model: str
    accelerator: str
    objective: ServiceObjective
    gpus: int
    replicas: int


def objective(
    first: float, token: float, load: float, inputs: int, outputs: int, prefix: float = 0.0
) -> ServiceObjective:
    return ServiceObjective(
        time_to_first_token=first,
        time_per_output_token=token,
        requests_per_second=load,
        input_tokens=inputs,
        output_tokens=outputs,
        cached_prefix_share=prefix,
    )


def choose(model: str, accelerator: str, wanted: ServiceObjective, **asked: object) -> ServiceChoice:
    """On the accelerator's usual machine in us-central1."""
    request = ShapeRequest(vllm=VLLM, **asked)  # pyright: ignore[reportArgumentType]
    return choose_service(question(MODELS[model], accelerator, request), wanted)


LLAMA_8B, LLAMA_70B = "meta-llama/Llama-3.1-8B-Instruct", "meta-llama/Llama-3.3-70B-Instruct"
_CHAT = objective(500, 30, 40, 1024, 256)
TEN = (
    Case("chat", LLAMA_8B, "h200", _CHAT, 1, 2),
    Case(
        "chat without NVLink",
        "meta-llama/Llama-3.1-8B-Instruct",
        "rtx-pro-6000",
        objective(500, 30, 40, 1024, 256),
        1,
        6,
    ),
    Case("quick chat", "Qwen/Qwen3-32B", "h200", objective(300, 15, 5, 1024, 256), 4, 1),
    Case("chat with a large model", LLAMA_70B, "h200", objective(1000, 40, 10, 1024, 256), 4, 2),
    Case("long document", "Qwen/Qwen3-32B", "h200", objective(8000, 60, 1, 30000, 1000), 2, 5),
    Case("batch at night", "Qwen/Qwen3-30B-A3B", "h200", objective(60000, 200, 50, 2048, 512), 2, 3),
    Case("agent with a long prefix", "Qwen/Qwen3-235B-A22B", "h200", objective(2000, 40, 4, 16000, 400, 0.9), 8, 2),
    Case("reasoning", "deepseek-ai/DeepSeek-R1", "h200", objective(2000, 50, 2, 2048, 1024), 8, 2),
    Case("reasoning on Blackwell", "openai/gpt-oss-120b", "b200", objective(500, 20, 20, 1024, 1024), 4, 1),
    Case("one user", LLAMA_8B, "h100", objective(200, 10, 0.1, 1024, 256), 1, 1),
)
