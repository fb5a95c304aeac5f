"""Builds layers that are alike twice and counts them as often as the model has them, where that says the same.

The first shape of a model is built whole, and from what vLLM built each layer gets a kind: its modules, the shapes of
their parameters and their settings. The same shape is then built with two layers of each kind. Only if weights and
cache come out the same, other shapes of that model are built so too.

On another card the kinds of a model that were found before are tried first: they hold there if the first, the second
and the last layer of each kind are alike there as well.
"""

import enum
import hashlib
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import torch
from inside import tensors
from vllm.model_executor.models import utils

Kinds = dict[str, dict[int, str]]
"""The kind of each layer by its number, of each list of layers by its name in the model."""

_TWICE = 2
_METHODS = 2
"""A method of a module, and its kernel."""
_DEPTH = 6
"""Objects between a module and a tensor of its: a layout of a tensor of a kernel of a method."""
_STRANGERS = ("torch.", "transformers.", "vllm.config.", "builtins", "types", "functools")
"""Modules whose objects hold no tensor of one layer alone."""
_OWN_NUMBER = re.compile(r"layer|idx|index|_id$")
_NUMBER = re.compile(r"\d+")
_PLAIN = (bool, int, float, str, type(None), torch.dtype, enum.Enum)
_make_layers = utils.make_layers

_known: Kinds = {}
_also: dict[str, set[int]] = {}
_built: dict[str, dict[int, torch.nn.Module]] = {}
_skipped: dict[str, list[int]] = {}


class Alike(utils.PPMissingLayer):
    """Stands for a layer of which two are there already."""


def patch() -> None:
    """Once, after vLLM's modules are there and before the first model is built."""
    for module in list(sys.modules.values()):
        if vars(module).get("make_layers") is _make_layers:
            module.make_layers = _make_some  # type: ignore[attr-defined]


def begin(known: Kinds | None, doubted: bool = False) -> None:
    """Before a model is built. None: it is built whole. `doubted`: with the last layer of each kind."""
    global _known, _also
    _known = known or {}
    _also = {prefix: {max(numbers) for numbers in _by_kind(found)} for prefix, found in _known.items() if doubted}
    _built.clear()
    _skipped.clear()


def _make_some(number: int, layer_fn: Callable[..., torch.nn.Module], prefix: str) -> Any:
    built, skipped = _built.setdefault(prefix, {}), _skipped.setdefault(prefix, [])
    kinds, also = _known.get(prefix, {}), _also.get(prefix, set())
    seen: Counter[str] = Counter()

    def one(prefix: str) -> torch.nn.Module:
        index = int(prefix.rsplit(".", 1)[1])
        kind = kinds.get(index)
        if kind is not None:
            seen[kind] += 1
            if seen[kind] > _TWICE and index not in also:
                skipped.append(index)
                return Alike()
        built[index] = layer_fn(prefix=prefix)
        return built[index]

    return _make_layers(number, one, prefix)


def kinds() -> Kinds:
    """The kinds of the layers that were built, before their weights are packed for the kernel."""
    return {prefix: {index: _kind(layer, index) for index, layer in found.items()} for prefix, found in _built.items()}


def hold(expected: Kinds, found: Kinds) -> bool:
    """Whether the layers that were built and should be alike are."""
    for prefix, kinds in expected.items():
        said = found.get(prefix, {})
        if any(len({said[index] for index in numbers if index in said}) > 1 for numbers in _by_kind(kinds)):
            return False
    return True


def _by_kind(kinds: dict[int, str]) -> list[list[int]]:
    """The numbers of the layers of each kind."""
    numbers: dict[str, list[int]] = defaultdict(list)
    for index, kind in kinds.items():
        numbers[kind].append(index)
    return list(numbers.values())


def as_json(kinds: Kinds) -> dict[str, list[int]] | None:
    """A number for each layer; None if not all layers are there."""
    told: dict[str, list[int]] = {}
    for prefix, found in kinds.items():
        if sorted(found) != list(range(len(found))):
            return None
        labels = list(dict.fromkeys(found[index] for index in sorted(found)))
        told[prefix] = [labels.index(found[index]) for index in sorted(found)]
    return told


def from_json(told: dict[str, list[int]]) -> Kinds:
    """The kinds by what `as_json` told of them."""
    return {prefix: {index: str(kind) for index, kind in enumerate(found)} for prefix, found in told.items()}


def methods() -> frozenset[str]:
    """The classes of what the layers that were built are computed with."""
    found: set[str] = set()
    for layers in _built.values():
        for layer in layers.values():
            for module in layer.modules():
                found |= set(_methods(module, _METHODS))
    return frozenset(found)


def _methods(thing: object, depth: int) -> Iterator[str]:
    for value in vars(thing).values():
        if depth and not isinstance(value, torch.nn.Module) and _is_theirs(value):
            yield type(value).__name__
            yield from _methods(value, depth - 1)


def _kind(layer: torch.nn.Module, index: int) -> str:
    parts: list[str] = []
    for name, module in layer.named_modules():
        parts.append(f"{name} {type(module).__name__} {sorted(_settings(module, index, 1))}")
        tensors_of = [*module._parameters.items(), *module._buffers.items()]
        parts += [f"{key} {tuple(t.shape)} {t.dtype} {t.device}" for key, t in tensors_of if t is not None]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _settings(thing: object, index: int, depth: int) -> Iterator[str]:
    """Plain values of an object and of the methods and kernels that it holds, without what only says its number."""
    for name, value in vars(thing).items():
        if isinstance(value, _PLAIN):
            if not (value == index and type(value) is int and _OWN_NUMBER.search(name)):
                yield f"{name}={_NUMBER.sub('#', value) if isinstance(value, str) else value}"
        elif isinstance(value, tuple) and all(isinstance(part, _PLAIN) for part in value):
            yield f"{name}={value}"
        elif depth and not isinstance(value, torch.nn.Module) and _is_theirs(value):
            yield f"{name}: {type(value).__name__}"
            yield from (f"{name}.{text}" for text in _settings(value, index, depth - 1))


def _is_theirs(value: object) -> bool:
    module = type(value).__module__
    return module.startswith("vllm.") and not module.startswith("vllm.config") and hasattr(value, "__dict__")


def skipped_bytes() -> int:
    """On the GPU, of the layers that were not built: as many as the second of their kind has, without what it shares
    with a layer before it."""
    total = 0
    for prefix, indices in _skipped.items():
        if not indices:
            continue
        skipped = Counter(_known[prefix][index] for index in indices)
        counted = {_pair(prefix, kind)[-1]: count for kind, count in skipped.items()}
        there: set[int] = set()
        for index, layer in sorted(_built[prefix].items()):
            held = _storages(layer)
            own = sum(tensors.allocated(size) for key, size in held.items() if key not in there)
            total += counted.get(index, 0) * own
            there.update(held)
    return total


def _pair(prefix: str, kind: str) -> list[int]:
    return sorted(index for index in _built[prefix] if _known[prefix].get(index) == kind)[:_TWICE]


def _storages(layer: torch.nn.Module) -> dict[int, int]:
    """Bytes by storage."""
    found: dict[int, int] = {}
    seen: set[int] = set()
    for module in layer.modules():
        _collect(vars(module), found, seen, _DEPTH)
    return found


def _collect(thing: Any, found: dict[int, int], seen: set[int], depth: int) -> None:
    if isinstance(thing, torch.Tensor):
        if tensors.on_gpu(thing):
            storage = thing.untyped_storage()
            found[storage._cdata] = storage.nbytes()
        return
    if not depth or id(thing) in seen or isinstance(thing, torch.nn.Module):
        return
    seen.add(id(thing))
    if isinstance(thing, dict):
        parts = list(thing.values())
    elif isinstance(thing, list | tuple):
        parts = list(thing)
    elif hasattr(thing, "__dict__") and not f"{type(thing).__module__}.".startswith(_STRANGERS):
        parts = list(vars(thing).values())
    else:
        return
    for part in parts:
        _collect(part, found, seen, depth - 1)


def with_skipped(caches: dict[str, Any]) -> dict[str, Any]:
    """Each layer's cache by its name, with those of the layers that were not built, in the order of the layers."""
    for prefix, indices in _skipped.items():
        if indices:
            caches = _completed(caches, prefix, indices)
    return caches


def _completed(caches: dict[str, Any], prefix: str, indices: list[int]) -> dict[str, Any]:
    named = re.compile(rf"{re.escape(prefix)}\.(\d+)(\..*)?$")
    by_layer: dict[int, dict[str, Any]] = defaultdict(dict)
    others: dict[str, Any] = {}
    for name, spec in caches.items():
        match = named.match(name)
        if match:
            by_layer[int(match[1])][match[2] or ""] = spec
        else:
            others[name] = spec
    for index in indices:
        model = _pair(prefix, _known[prefix][index])[-1]
        by_layer[index] = {rest: replace(spec) for rest, spec in by_layer.get(model, {}).items()}
    ordered = {f"{prefix}.{index}{rest}": spec for index in sorted(by_layer) for rest, spec in by_layer[index].items()}
    return {**ordered, **others}
