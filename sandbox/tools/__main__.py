"""Obtains every tool, with its progress on stderr, and prints where each is."""

import dataclasses
import sys

from sandbox.interruption import EXIT_STATUS, raise_when_interrupted
from sandbox.tools import ToolsError, cluster_tools, engine_tools, lws_chart


def _report(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main() -> int:
    """Obtains the tools; returns the exit status."""
    raise_when_interrupted()
    try:
        engine, cluster, chart = engine_tools(_report), cluster_tools(_report), lws_chart(_report)
    except ToolsError as error:
        _report(f"error: {error}")
        return 1
    except KeyboardInterrupt:
        _report("interrupted; nothing half-made is left")
        return EXIT_STATUS
    for tools in (engine, cluster):
        for field in dataclasses.fields(tools):
            print(f"{field.name}: {getattr(tools, field.name)}")
    print(f"lws_chart: {chart}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
