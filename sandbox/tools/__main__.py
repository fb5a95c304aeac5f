"""`python -m sandbox.tools [get|prune]`: obtains every tool and prints where each is, or deletes what no checkout uses.

Progress goes to stderr.
"""

import argparse
import dataclasses
import sys

from sandbox.interruption import EXIT_STATUS, raise_when_interrupted
from sandbox.tools import ToolsError, cache_folder, cluster_tools, entries, lws_chart, prune, pulumi_tools


def _report(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main() -> int:
    """Obtains or prunes the tools; returns the exit status."""
    raise_when_interrupted()
    parser = argparse.ArgumentParser(prog="python -m sandbox.tools", description=__doc__)
    parser.add_argument("command", choices=("get", "prune"), nargs="?", default="get")
    return _prune() if parser.parse_args().command == "prune" else _get()


def _prune() -> int:
    freed = prune(_report)
    print(f"freed {_mib(freed)}")
    _print_cache()
    return 0


def _print_cache() -> None:
    """Each folder of the cache with its size and its checkouts, and the size of all."""
    found = entries()
    for entry in found:
        used_by = ", ".join(map(str, entry.checkouts)) or "no checkout"
        print(f"{entry.folder.name}: {_mib(entry.size)}, used by {used_by}")
    print(f"{cache_folder()}: {_mib(sum(entry.size for entry in found))}")


def _mib(size: int) -> str:
    return f"{size / 2**20:,.0f} MiB"


def _get() -> int:
    try:
        pulumi, cluster, chart = pulumi_tools(_report), cluster_tools(_report), lws_chart(_report)
    except ToolsError as error:
        _report(f"error: {error}")
        return 1
    except KeyboardInterrupt:
        _report("interrupted; nothing half-made is left")
        return EXIT_STATUS
    for tools in (pulumi, cluster):
        for field in dataclasses.fields(tools):
            print(f"{field.name}: {getattr(tools, field.name)}")
    print(f"lws_chart: {chart}")
    _print_cache()
    return 0


if __name__ == "__main__":
    sys.exit(main())
