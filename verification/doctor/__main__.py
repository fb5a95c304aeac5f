"""`python -m verification.doctor --stack NAME`: asks Google, Hugging Face and the registries whether `up` can work."""

import argparse
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from config import ConfigurationError, read_stack_file
from planning.platform import plan_platform
from verification.doctor.examination import Wish, examine
from verification.doctor.hidden import Hidden
from verification.results import failed, table, write_report

NO_PROJECT = "error: no project: write it with `pulumi config set inference-platform:project ID`, or give --project ID"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the checks; returns 0 if nothing failed, 1 if something did, 2 if nothing could be checked."""
    options = _parse(arguments)
    try:
        settings = read_stack_file(Path.cwd(), options.stack)
        plan = plan_platform(settings, options.stack)
    except ConfigurationError as error:
        print(error, file=sys.stderr)
        return 2
    project = options.project or settings.project
    if project is None:
        print(NO_PROJECT, file=sys.stderr)
        return 2
    wish = Wish(options.stack, settings, plan, project, options.reads_only, options.registry_mirror)
    results = examine(wish, os.environ, Hidden())
    print(table(results))
    if options.report:
        facts = [f"stack `{options.stack}`, project `{project}`, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC"]
        write_report(options.report, results, f"Before `up`: {options.stack}", facts)
    return 1 if failed(results) else 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m verification.doctor", description=__doc__)
    parser.add_argument("--stack", required=True, help="NAME of Pulumi.NAME.yaml in this folder")
    parser.add_argument("--project", help="id of the project to ask; default: the stack file's")
    parser.add_argument(
        "--reads-only",
        action="store_true",
        help="who runs this only previews: what the update's account may do is not asked",
    )
    parser.add_argument(
        "--registry-mirror", help="ask this registry for every image, as containerd asks a mirror; default: their own"
    )
    parser.add_argument("--report", type=Path, help="file to write the table to as well, as Markdown")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
