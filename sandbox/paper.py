"""Shows what a change would do: one checkout's program is built without a cluster, then another's is previewed over it.

The cloud is the stand-in, the Pulumi engine and the Kubernetes provider are real, and nothing stays after the command.
"""

import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import pulumi
from pulumi.automation import EngineEvent

from sandbox.events import event_log
from sandbox.home import Home
from sandbox.policy_pack import executable_pack
from sandbox.profile import read_profile
from sandbox.pulumi_engine import PulumiEngine, pulumi_engine
from sandbox.render import on_paper
from sandbox.scratch import scratch_folder
from sandbox.sharing import lend

Report = Callable[[str], None]

_OF_PAPER = ("rendered YAML will contain a secret value", "Cluster is unreachable")


class BaseError(Exception):
    """The program that the change starts from could not be built; the message is the end of what was said."""


def preview_change(
    lasting: Home, base: Path | None, events: Path, report: Report, packs: tuple[Path, ...] = ()
) -> None:
    """Previews a stack over what `base`'s program builds, or over nothing, and writes the Pulumi engine's events.

    Raises BaseError if `base` cannot be built.
    """
    with scratch_folder("change") as scratch:
        folder = scratch / "home"
        home = lasting.beside(folder)
        lend(lasting, home)
        if base is not None:
            _build_in_a_process_of_its_own(base, lasting.stack, folder)
        with (
            paper_pulumi_engine(home, report) as running,
            event_log(events, says_something) as on_event,
        ):
            running.preview(
                report, on_event=on_event, policy_packs=[str(executable_pack(pack, folder)) for pack in packs]
            )


def says_something(event: EngineEvent) -> bool:
    """False for warnings that only such a preview causes: that values are not written, and that no cluster answers."""
    diagnostic = event.diagnostic_event
    return diagnostic is None or not any(warning in diagnostic.message for warning in _OF_PAPER)


@contextmanager
def paper_pulumi_engine(home: Home, report: Report) -> Generator[PulumiEngine]:
    """A Pulumi engine with clusters that are only records, and Kubernetes objects that are written to files."""
    rendered = home.folder / "rendered"
    with pulumi_engine(
        home,
        report,
        control_planes=False,
        before_program=lambda: pulumi.runtime.register_resource_transform(on_paper(rendered)),
    ) as running:
        yield running


def _build_in_a_process_of_its_own(base: Path, stack: str, folder: Path) -> None:
    """Builds the other checkout's program. It needs another process, since the modules of both have the same names."""
    run = subprocess.run(
        [sys.executable, "-m", "sandbox.paper", str(base), stack, str(folder)],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode != 0:
        raise BaseError("\n".join((run.stdout + run.stderr).strip().splitlines()[-12:]))


def main(arguments: list[str]) -> None:
    base, stack, folder = arguments
    # The other checkout may be older than the profile, or than some of its keys.
    home = Home(Path(base), stack, Path(folder), read_profile(Path.cwd()))
    with paper_pulumi_engine(home, print) as running:
        running.up(print)


if __name__ == "__main__":
    main(sys.argv[1:])
