"""`python -m oracle record|compare|changes`: asks vLLM's own code, without a GPU, and keeps or compares what it says.

record   writes what it says of the catalogue's models, or of a config.json of one's own, where the plan reads it
compare  the plan's own formulas beside vLLM, over the catalogue and the published configs; fails if they disagree
changes  what one release says otherwise than another, as a table for a pull request
"""

import argparse
import sys
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from catalog.recorded import beside, file_of
from oracle import environment
from oracle.ask import Answer, ask
from oracle.card import CAPABILITIES
from oracle.changes import changes
from oracle.compare import compare
from oracle.environment import EnvironmentUnavailable
from oracle.published import NoConfig, catalogue, config_of, of_file, published
from oracle.question import Config, Question, by_use, every_shape
from oracle.records import record
from oracle.worth import worth_asking


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 0 if it was done and holds, 1 if the plan and vLLM disagree, 2 if it cannot be done."""
    options = _parser().parse_args(arguments)
    try:
        if options.question == "record":
            return _record(options)
        if options.question == "compare":
            return _compare(options)
        print(changes(options.old, options.new))
        return 0
    except (EnvironmentUnavailable, NoConfig, OSError, ValueError) as error:
        print(f"python -m oracle: {' '.join(str(error).split())}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m oracle", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    questions = parser.add_subparsers(dest="question", required=True)
    card = argparse.ArgumentParser(add_help=False)
    card.add_argument("--capability", choices=CAPABILITIES, default="9.0", help="of the cards; default: %(default)s")
    write = questions.add_parser("record", parents=[card], help="ask, and write down what was said")
    which = write.add_mutually_exclusive_group()
    which.add_argument("--model", nargs="+", metavar="ID", help="of the catalogue; default: all of it")
    which.add_argument("--config", type=Path, metavar="FILE", help="a config.json of one's own; recorded beside it")
    write.add_argument("--quick", action="store_true", help="tensor parallel alone, with the usual cache")
    beside_vllm = questions.add_parser("compare", parents=[card], help="the plan's formulas beside vLLM")
    beside_vllm.add_argument("--names", nargs="+", metavar="ID", help="of the catalogue or the package; default: all")
    beside_vllm.add_argument("--quick", action="store_true", help="tensor parallel alone, with the usual cache")
    beside_vllm.add_argument("--formulas", action="store_true", help="leave out what the plan reads of the records")
    between = questions.add_parser("changes", help="between two releases that were recorded")
    between.add_argument("old", metavar="OLD")
    between.add_argument("new", metavar="NEW")
    return parser


def _record(options: argparse.Namespace) -> int:
    if options.config is not None:
        configs = {beside(options.config, environment.VLLM_VERSION): of_file(options.config)}
        environment.make()
    else:
        environment.make()
        wanted = options.model or catalogue()
        configs = {file_of(model, environment.VLLM_VERSION): config_of(model) for model in wanted}
    targets = {config.id: target for target, config in configs.items()}
    shapes = (q for config in configs.values() for q in every_shape(config, thorough=not options.quick))
    questions = by_use(q for q in shapes if worth_asking(q, options.capability))
    for model, answers in groupby(ask(questions, options.capability), key=lambda pair: pair[0].config.id):
        print(_written(configs[targets[model]], options.capability, list(answers), targets[model]), flush=True)
    return 0


def _written(config: Config, capability: str, answers: list[tuple[Question, Answer]], target: Path) -> str:
    made = record(config, capability, answers, target)
    silent = [f"  no answer, {question.shape}: {said['failure']}" for question, said in answers if "failure" in said]
    return "\n".join([f"{target.name}: {len(made.capabilities[capability])} shapes", *silent])


def _compare(options: argparse.Namespace) -> int:
    environment.make()
    configs = {config.id: config for config in (*published(), *(config_of(model) for model in catalogue()))}
    unknown = sorted(set(options.names or ()) - set(configs))
    if unknown:
        raise ValueError(f"neither the catalogue nor the package has {', '.join(unknown)}")
    wanted = [configs[name] for name in options.names or configs]
    shapes = (question for config in wanted for question in every_shape(config, thorough=not options.quick))
    questions = by_use(q for q in shapes if not q.draft_tokens and (q.is_plain or worth_asking(q, options.capability)))
    table = compare(ask(questions, options.capability), options.capability, formulas=options.formulas)
    print(table.as_markdown())
    return 0 if table.holds else 1


if __name__ == "__main__":
    sys.exit(main())
