"""`python -m verification --stack NAME`: checks the cluster that kubectl is configured for."""

import argparse
import shlex
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from config import ConfigurationError
from verification.cluster_checks import cluster_checks
from verification.expectations import Expectations
from verification.job_checks import job_checks
from verification.kubectl import Kubectl
from verification.model_checks import ModelChecks
from verification.results import Check, CheckFailed, Result, Status, failed, outcome, table, write_report


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the checks; returns 0 if nothing failed, 1 if something did, 2 if nothing could be checked."""
    options = _parse(arguments)
    try:
        expected = Expectations.of(Path.cwd(), options.stack)
    except ConfigurationError as error:
        print(error, file=sys.stderr)
        return 2
    try:
        results = verify(Kubectl(shlex.split(options.kubectl)), expected, options.timeout)
    except CheckFailed as error:
        print(f"error: the cluster cannot be reached: {error}", file=sys.stderr)
        return 2
    print(table(results))
    if options.report:
        facts = [f"stack `{options.stack}`, cluster `{expected.cluster}`, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC"]
        write_report(options.report, results, f"After `up`: {options.stack}", facts)
    return 1 if failed(results) else 0


def verify(kubectl: Kubectl, expected: Expectations, timeout: float) -> list[Result]:
    """The results of all checks. Raises CheckFailed if the cluster does not answer at all."""
    results = list(_run("cluster", cluster_checks(kubectl, expected)))
    if results[0].status is Status.FAILED:
        raise CheckFailed(results[0].detail)
    with kubectl.proxy() as proxy:
        for model in expected.models:
            results += _run(model.name, ModelChecks(kubectl, proxy, model, timeout).checks())
    return [*results, *_run("jobs", job_checks(kubectl, expected.preflights))]


def _run(subject: str, checks: Iterable[Check]) -> Iterable[Result]:
    return (outcome(subject, name, look) for name, look in checks)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m verification", description=__doc__)
    parser.add_argument(
        "--stack", required=True, help="NAME of Pulumi.NAME.yaml in this folder, which says what to expect"
    )
    parser.add_argument("--kubectl", default="kubectl", help="the command to run; default: %(default)s")
    parser.add_argument("--timeout", type=float, default=60.0, help="seconds for one answer of a model; default: 60")
    parser.add_argument("--report", type=Path, help="file to write the table to as well, as Markdown")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
