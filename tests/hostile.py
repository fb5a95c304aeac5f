"""Makes broken files of good ones: what people mistype, and what nobody would write."""

import copy
import datetime
import random
from collections.abc import Iterator
from typing import Any, cast

Path = tuple[str | int, ...]

VALUES: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    1,
    -1,
    2**31,
    10**30,
    10**400,
    0.5,
    -0.0,
    1e308,
    float("nan"),
    float("inf"),
    "",
    " ",
    "1",
    "null",
    "x" * 5000,
    "\u202etfel ot thgir",
    "line\nbreak",
    "${secret}",
    "../../etc/passwd",
    "café",
    [],
    {},
    [[]],
    [None],
    {"": ""},
    {"a": {"b": []}},
    datetime.date(2026, 11, 28),
    b"\x00\xff",
)


def broken(document: Any, chance: random.Random) -> Any:
    """A copy with one to three changes, each anywhere in it."""
    changed = copy.deepcopy(document)
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        changed = _change(changed, chance)
    return changed


def _change(document: Any, chance: random.Random) -> Any:
    paths = list(_paths(document))
    path = chance.choice(paths)
    match chance.randrange(8):
        case 0:
            return _with(document, path, copy.deepcopy(chance.choice(VALUES)))
        case 1:
            return _without(document, path)
        case 2:
            return _with(document, path, [_at(document, path)])
        case 3:
            return _with(document, path, copy.deepcopy(_at(document, chance.choice(paths))))
        case 4:
            return _renamed(document, path, chance)
        case 5:
            return _repeated(document, path)
        case 6:
            return _with(document, path, {"key": _at(document, path)})
        case _:
            return _with(document, path, _near(_at(document, path), chance))


def _near(value: Any, chance: random.Random) -> Any:
    """A value that looks like it: what a slip of the hand, or of the unit, makes of it."""
    match value:
        case bool():
            return chance.choice((not value, str(value), int(value)))
        case int() | float():
            return chance.choice((value * 1000, -value, value + 0.5, value - 1, str(value), value * 10**20))
        case str() if value:
            cut = chance.randrange(len(value))
            swapped = value[:cut] + value[cut + 1 :]
            return chance.choice((swapped, value.upper(), f" {value} ", value + value, f"{value}-2", value.encode()))
        case _:
            return copy.deepcopy(chance.choice(VALUES))


def _renamed(document: Any, path: Path, chance: random.Random) -> Any:
    """With a mistyped key, or a key that nobody knows."""
    holder = _at(document, path[:-1])
    if not path or not isinstance(holder, dict):
        return _with(document, path, {"unknown": 1})
    old = str(path[-1])
    new: Any = chance.choice((old.upper(), old + "s", old[1:], old.replace("e", "a"), f"{old} ", 7, None))
    items = cast(dict[Any, Any], holder).items()
    return _with(document, path[:-1], {(new if key == path[-1] else key): value for key, value in items})


def _repeated(document: Any, path: Path) -> Any:
    """A list with the same item twice."""
    holder = _at(document, path[:-1]) if path else None
    if not isinstance(holder, list):
        return _with(document, path, 2 * [_at(document, path)])
    return _with(document, path[:-1], [*cast(list[Any], holder), _at(document, path)])


def _without(document: Any, path: Path) -> Any:
    if not path:
        return {}
    holder = copy.copy(_at(document, path[:-1]))
    del holder[path[-1]]
    return _with(document, path[:-1], holder)


def _with(document: Any, path: Path, value: Any) -> Any:
    if not path:
        return value
    holder = copy.copy(document)
    holder[path[0]] = _with(document[path[0]], path[1:], value)
    return holder


def _at(document: Any, path: Path) -> Any:
    for part in path:
        document = document[part]
    return document


def _paths(document: Any, path: Path = ()) -> Iterator[Path]:
    yield path
    if isinstance(document, dict):
        for key, value in cast(dict[Any, Any], document).items():
            yield from _paths(value, (*path, key))
    elif isinstance(document, list):
        for index, value in enumerate(cast(list[Any], document)):
            yield from _paths(value, (*path, index))
