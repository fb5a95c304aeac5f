"""Ends well only where a checkpoint is complete in its bucket, so that no server starts on a half of one.

It also marks the folder of compiled kernels on the node as used, where there is one.
"""

import argparse
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from components.manifests.programs.bucket_objects import Bucket, is_complete
from components.manifests.programs.hub_files import Failed, say


def end(*_: Any) -> None:
    """As the first process of its container it would not be ended by a signal that it does not handle."""
    os._exit(128 + signal.SIGTERM)


def main(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="check_bucket")
    parser.add_argument("bucket")
    parser.add_argument("folder", help="of the bucket")
    parser.add_argument("--kernels", type=Path, help="folder of what this server compiles")
    parser.add_argument("--pause", type=float, default=5.0, help="seconds before the second try; then twice as long")
    said = parser.parse_args(words)
    signal.signal(signal.SIGTERM, end)
    try:
        if said.kernels:
            said.kernels.mkdir(parents=True, exist_ok=True)
            # The node's cache keeps those that were used last.
            os.utime(said.kernels, (time.time(), time.time()))
        if is_complete(Bucket(said.bucket, said.pause), said.folder):
            say(f"gs://{said.bucket}/{said.folder} is complete")
            return 0
        raise Failed(f"gs://{said.bucket}/{said.folder} is not complete: run an update, which fills it")
    except (Failed, OSError) as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
