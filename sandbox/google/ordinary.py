"""What people have made in the project before a program comes to it, on a day when nothing is missing."""

from typing import Any

from sandbox.cloud.tables import Reservation

_Key = tuple[str, str, str, str]


def reservations_of(plan: dict[str, Any], project: str) -> tuple[Reservation, ...]:
    """Those that the pools of a stack's plan, as its JSON has it, draw on: with all the machines that they want."""
    counts: dict[_Key, int] = {}
    blocks: dict[_Key, dict[str, list[str]]] = {}
    waiting: set[_Key] = set()
    for pool in plan["node_pools"]:
        if not pool["reservation"]:
            continue
        name, *parts = pool["reservation"]["path"].split("/")
        key = (name, pool["reservation"]["project"] or project, pool["zone"], pool["machine_type"])
        counts[key] = counts.get(key, 0) + pool["max_nodes"]
        own = blocks.setdefault(key, {})
        if parts:
            own.setdefault(parts[1], []).extend(parts[3:])
        if pool["waits"]:
            waiting.add(key)
    return tuple(
        Reservation.model_validate(
            {
                "name": key[0],
                "project": key[1],
                "zone": key[2],
                "machineType": key[3],
                "count": count,
                "status": "pending" if key in waiting else "active",
                "blocks": blocks[key],
            }
        )
        for key, count in counts.items()
    )
