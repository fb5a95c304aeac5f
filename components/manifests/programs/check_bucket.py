"""Ends well only where a checkpoint is complete in its bucket, so that no server starts on a half of one.

It also marks the folder of compiled kernels on the node as used, where there is one.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from components.manifests.programs.bucket_objects import Bucket, is_complete
from components.manifests.programs.hub_files import Failed, say
from components.manifests.programs.pod_process import end_when_told, mark_used


def main(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="check_bucket")
    parser.add_argument("bucket")
    parser.add_argument("folder", help="of the bucket")
    parser.add_argument("--kernels", type=Path, help="folder of what this server compiles")
    parser.add_argument("--pause", type=float, default=5.0, help="seconds before the second try; then twice as long")
    said = parser.parse_args(words)
    end_when_told()
    try:
        if said.kernels:
            mark_used(said.kernels)
        if is_complete(Bucket(said.bucket, said.pause), said.folder):
            say(f"gs://{said.bucket}/{said.folder} is complete")
            return 0
        raise Failed(f"gs://{said.bucket}/{said.folder} is not complete: run an update, which fills it")
    except (Failed, OSError) as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
