"""`python -m planning stack|schema|fit|choose`: plans and what-if questions; no Pulumi, no credentials, no network."""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from catalog import ACCELERATORS, PINS, REGION_PRICES, CapacityKind, InvalidEntry
from catalog.hugging_face import QUANTIZATION_FILE, UnreadableConfigError, model_from_config, read_json_object
from catalog.model import MODELS, KvCacheDtype, Model
from catalog.recorded import with_records_beside
from config import ConfigurationError
from config.models import Objective
from planning.choose import Ranking, rank
from planning.engine import engine_of
from planning.fit import Fit, fit
from planning.performance.steps import LibraryMissing
from planning.prices import PriceList
from planning.schema import plan_schema
from planning.shape import GpuNode, ShapeQuestion, ShapeRefused, ShapeRequest
from planning.stack_question import Format, describe_stack

if TYPE_CHECKING:
    from planning.performance.ranking import ServiceRanking

T = TypeVar("T")


class _Parser(argparse.ArgumentParser):
    """Errors are one line; the usage is for --help."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 0 if the question was answered, whatever the answer; 2 if it cannot be understood.

    A stack that cannot be planned is status 1, with every reason.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.question == "stack":
        return _describe_stack(options)
    if options.question == "schema":
        print(plan_schema())
        return 0
    try:
        model = _model(options)
        engine_of(options.vllm_version)
        answer: Fit | Ranking | ServiceRanking
        if options.question == "fit":
            accelerator = _named("accelerator", options.accelerator, ACCELERATORS)
            try:
                machine = accelerator.machine_type(options.machine_type or accelerator.default_machine_type)
            except KeyError:
                known = ", ".join(machine.name for machine in accelerator.machine_types)
                raise _Unanswerable(f"{accelerator.name} has no machine type {options.machine_type}: {known}") from None
            answer = fit(ShapeQuestion(model, GpuNode.of(accelerator, machine), _request(options)))
            text = _fit_text(answer)
        else:
            if options.accelerator is not None:
                _named("accelerator", options.accelerator, ACCELERATORS)
            _named("region", options.region, REGION_PRICES)
            capacity = None if options.capacity is None else CapacityKind(options.capacity)
            where = (PriceList(options.region, capacity), options.accelerator)
            if options.service_objective is not None:
                # The other questions should not wait for the library of the estimates.
                from planning.performance.ranking import objective_of, rank_services, ranking_text

                answer = rank_services(model, _request(options), objective_of(options.service_objective), *where)
                text = ranking_text(answer)
            else:
                answer = rank(model, _request(options), *where)
                text = _ranking_text(answer)
    except (_Unanswerable, UnreadableConfigError, InvalidEntry, ShapeRefused, LibraryMissing, ValueError) as error:
        line = " ".join(str(error).split())
        print(f"{parser.prog}: {line}", file=sys.stderr)
        return 2
    print(answer.model_dump_json(indent=2) if options.json else text)
    return 0


def _describe_stack(options: argparse.Namespace) -> int:
    try:
        print(describe_stack(Path.cwd(), options.name, Format(options.format)))
    except ConfigurationError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


class _Unanswerable(Exception):
    """The arguments name something that is not there."""


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m planning", description=__doc__)
    questions = parser.add_subparsers(dest="question", required=True, parser_class=_Parser)
    whole = questions.add_parser("stack", help="what a stack file will become")
    whole.add_argument("name", help="NAME of Pulumi.NAME.yaml in this folder")
    whole.add_argument("--format", choices=[form.value for form in Format], default=Format.TEXT.value)
    questions.add_parser("schema", help="the JSON schema of a plan as JSON")
    common = _Parser(add_help=False)
    which = common.add_mutually_exclusive_group(required=True)
    which.add_argument("--model", help="a model of the catalogue, such as google/gemma-3-27b-it")
    which.add_argument("--config", type=Path, metavar="FILE", help="a Hugging Face config.json instead")
    common.add_argument("--tensor-parallel", type=_positive, metavar="N")
    common.add_argument("--pipeline-parallel", type=_positive, metavar="N")
    common.add_argument("--expert-parallel", action=argparse.BooleanOptionalAction, help="default: where it is needed")
    common.add_argument("--gpu-memory-utilization", type=_fraction, metavar="F")
    common.add_argument("--max-model-len", type=_positive, metavar="N")
    common.add_argument("--max-num-seqs", type=_positive, metavar="N")
    common.add_argument("--max-num-batched-tokens", type=_positive, metavar="N")
    common.add_argument("--kv-cache-dtype", choices=[dtype.value for dtype in KvCacheDtype], default="auto")
    common.add_argument("--enforce-eager", action="store_true")
    common.add_argument("--vllm-version", default=PINS.vllm, metavar="V", help="default: %(default)s, the pinned one")
    common.add_argument("--json", action="store_true")
    one = questions.add_parser("fit", parents=[common], help="does it start, and with how much KV cache")
    one.add_argument(
        "--accelerator", required=True, metavar="NAME", help="one of the catalogue: " + ", ".join(ACCELERATORS)
    )
    one.add_argument("--machine-type", metavar="NAME", help="default: the accelerator's usual one")
    many = questions.add_parser("choose", parents=[common], help="which accelerator and shape")
    many.add_argument("--accelerator", metavar="NAME", help="default: all of the catalogue")
    aim = many.add_mutually_exclusive_group()
    aim.add_argument("--objective", choices=[o.value for o in Objective], default=Objective.THROUGHPUT.value)
    aim.add_argument(
        "--service-objective",
        metavar="KEY=VALUE,...",
        help="instead: timeToFirstToken and timePerOutputToken in ms (means), requestsPerSecond, inputTokens, "
        "outputTokens, and cachedPrefixShare if there is one, as under serviceObjective in a stack file",
    )
    many.add_argument("--min-context", type=_positive, metavar="N", help="tokens; default: the model's whole context")
    many.add_argument("--min-concurrency", type=_positive, metavar="N", default=1)
    many.add_argument("--region", default="us-central1", help="of the prices; default: %(default)s")
    many.add_argument("--capacity", choices=[kind.value for kind in CapacityKind], help="default: the list price")
    return parser


def _positive(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 10 and 0 < int(text) < 2**31):
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is not a whole number from 1 to {2**31 - 1}")
    return int(text)


def _fraction(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not between 0 and 1")
    return value


def _named(what: str, name: str, entries: Mapping[str, T]) -> T:
    if name in entries:
        return entries[name]
    near = get_close_matches(name, entries, n=5, cutoff=0.4) or (list(entries) if len(entries) <= 40 else [])
    raise _Unanswerable(
        f"there is no {what} {name} in the catalogue" + (f"; there is {', '.join(near)}" if near else "")
    )


def _model(options: argparse.Namespace) -> Model:
    if options.model is not None:
        return _named("model", options.model, MODELS)
    file: Path = options.config
    config = _json_object(file)
    name = file.parent.name if file.name == "config.json" and file.parent.name else file.stem
    beside = file.with_name(QUANTIZATION_FILE)
    quantization = _json_object(beside) if beside.exists() else None
    return with_records_beside(model_from_config(config, name, quantization), file)


def _json_object(file: Path) -> dict[str, Any]:
    try:
        return read_json_object(file)
    except OSError as error:
        raise _Unanswerable(f"{file}: {error.strerror}") from error
    except ValueError as error:
        raise _Unanswerable(str(error)) from error


def _request(options: argparse.Namespace) -> ShapeRequest:
    choosing = options.question == "choose"
    return ShapeRequest(
        vllm=options.vllm_version,
        objective=Objective(options.objective) if choosing else Objective.THROUGHPUT,
        min_context=options.min_context if choosing else None,
        min_concurrency=options.min_concurrency if choosing else 1,
        tensor_parallel=options.tensor_parallel,
        pipeline_parallel=options.pipeline_parallel,
        expert_parallel=options.expert_parallel,
        max_model_len=options.max_model_len,
        gpu_memory_utilization=options.gpu_memory_utilization,
        max_num_seqs=options.max_num_seqs,
        max_num_batched_tokens=options.max_num_batched_tokens,
        kv_cache_dtype=KvCacheDtype(options.kv_cache_dtype),
        enforce_eager=options.enforce_eager,
    )


def _fit_text(answer: Fit) -> str:
    head = f"{answer.model} on {answer.accelerator} ({answer.machine_type}), vLLM {answer.vllm_version}: "
    lines = [head + ("fits" if answer.fits else "does not fit") + f" [{answer.basis}]"]
    lines += [f"  {reason}" for reason in answer.reasons]
    lines += [f"  warning: {warning}" for warning in answer.warnings]
    return "\n".join(lines)


def _ranking_text(answer: Ranking) -> str:
    lines = [f"{answer.model} for {answer.objective}, prices of {answer.region} per hour"]
    for number, choice in enumerate(answer.choices, start=1):
        plan = choice.shape
        shape = f"TP {plan.tensor_parallel} PP {plan.pipeline_parallel} x {plan.replicas}"
        usd = (
            "price unknown"
            if choice.price is None
            else f"{choice.usd_per_hour:.2f} USD/h ({choice.price.list}, {choice.price.as_of})"
        )
        per_token = choice.usd_per_million_tokens
        tokens = "" if per_token is None else f", {per_token.output_usd:.2f} USD per million output tokens"
        mark = "*" if choice.best else " "
        lines.append(
            f"{number:3}{mark} {plan.accelerator:13} {plan.machine_type:20} {shape:16} "
            f"{plan.memory.kv_cache_tokens:>10} cache tokens, {usd}{tokens} [{plan.memory.basis}]"
        )
    best = next((choice for choice in answer.choices if choice.best), None)
    if best is not None:
        memory = best.shape.memory
        lines += ["why the first:", f"  {memory.basis}: {memory.basis_reason}"]
        lines += [f"  {reason}" for reason in best.shape.reasons]
        lines += [f"  not {rejected.shape}: {rejected.why}" for rejected in best.shape.rejected]
        lines += [f"  warning: {warning}" for warning in best.shape.warnings]
    lines += [f"not {rejected.shape}: {rejected.why}" for rejected in answer.refused]
    return "\n".join(lines)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BrokenPipeError:  # the reader, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
