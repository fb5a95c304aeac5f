"""The parser that `vllm serve` really uses, made without a GPU. Only vLLM's own environment can import this."""

import argparse
import os
from collections.abc import Sequence
from typing import Any, NoReturn

os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")

from vllm import platforms
from vllm.platforms.cpu import CpuPlatform

# Before anything reads it: with no GPU the platform is unknown, and the parser's modules refuse to load for one.
platforms.current_platform = CpuPlatform()

from vllm.engine.arg_utils import AsyncEngineArgs  # noqa: E402
from vllm.entrypoints.common.cli_args import make_arg_parser, validate_parsed_serve_args  # noqa: E402
from vllm.utils.argparse_utils import FlexibleArgumentParser  # noqa: E402


class Refused(Exception):
    """The parser's own words."""


def make() -> tuple[FlexibleArgumentParser, FlexibleArgumentParser]:
    """The parser of `vllm` and, inside it, the one of `serve`: some rules only hold for the two together."""
    outer = FlexibleArgumentParser(prog="vllm")
    inner = outer.add_subparsers(dest="subparser").add_parser("serve", usage="vllm serve [model_tag] [options]")
    return outer, make_arg_parser(inner)


def parse(outer: FlexibleArgumentParser, arguments: Sequence[str]) -> argparse.Namespace:
    """What vLLM makes of what follows `vllm serve`. Raises Refused."""
    original = argparse.ArgumentParser.error
    argparse.ArgumentParser.error = _refuse
    try:
        parsed = outer.parse_args(["serve", *arguments])
        validate_parsed_serve_args(parsed)
        AsyncEngineArgs.from_cli_args(parsed)
    except SystemExit as end:
        raise Refused("ends at once: prints something and serves nothing") from end
    except Exception as error:  # whatever it is, vLLM would not have started
        raise Refused(str(error) or type(error).__name__) from error
    finally:
        argparse.ArgumentParser.error = original
    return parsed


def _refuse(_parser: Any, message: str) -> NoReturn:
    raise Refused(message)
