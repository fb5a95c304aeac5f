"""`python -m maintenance.reservations --stack NAME --project ID`: prints the reservations that a stack needs, as JSON.

They are in the form of the sandbox's scenarios. The stand-in of Google asks for them, for a day on which nothing is
missing.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from config import ConfigurationError, read_stack_file
from planning.plan import PlatformPlan
from planning.platform import plan_platform

Row = dict[str, Any]


def reservations_of(plan: PlatformPlan, project: str) -> list[Row]:
    """One row for each reservation, with the machines of all pools that use it; `project` is the stack's own."""
    found: dict[tuple[str, str, str, str], Row] = {}
    for pool in plan.node_pools:
        if pool.reservation is None:
            continue
        reservation, name = pool.reservation, pool.reservation.name
        owner = reservation.project or project
        row = found.setdefault(
            (name, owner, pool.zone, pool.machine_type),
            {
                "name": name,
                "project": owner,
                "zone": pool.zone,
                "machineType": pool.machine_type,
                "count": 0,
                "status": "active",
                "blocks": {},
            },
        )
        row["count"] += pool.max_nodes
        if pool.waits:
            row["status"] = "pending"
        if reservation.block:
            row["blocks"].setdefault(reservation.block, []).extend(filter(None, [reservation.sub_block]))
    return list(found.values())


def main(arguments: list[str] | None = None) -> int:
    """Prints the reservations; returns the exit status: 0, or 1 if the stack cannot be planned."""
    parser = argparse.ArgumentParser(prog="python -m maintenance.reservations", description=__doc__)
    parser.add_argument("--stack", required=True, help="NAME of Pulumi.NAME.yaml")
    parser.add_argument("--project", required=True, help="id of the stack's Google Cloud project")
    options = parser.parse_args(arguments)
    try:
        plan = plan_platform(read_stack_file(Path.cwd(), options.stack), options.stack)
    except ConfigurationError as error:
        print(error, file=sys.stderr)
        return 1
    print(json.dumps(reservations_of(plan, options.project)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
