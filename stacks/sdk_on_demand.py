"""Loads of a generated Pulumi SDK only the classes that a program uses; docs/sdk_on_demand.md says what it wins.

Every line of the SDK that runs is as it was generated. What this module does not recognise, it loads whole.
"""

import importlib
import importlib.abc
import importlib.machinery
import re
import sys
import threading
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from types import ModuleType

_CLASS = re.compile(r"^(?:@[\w.]+\n)?class (\w+)", re.MULTILINE)
_WORD_START = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_NAMED = re.compile(r"'(\w+)'")
"""Generated annotations name other classes in quotes, since these may stand further down."""
_TYPES = ("_inputs", "outputs")
"""The two files of a module that hold the nested types of all its resources: most of what a program never names."""
_LARGE = 2**21
"""From so many bytes of source on, to compile a part is faster than to load the whole from its bytecode (measured)."""

_lock = threading.RLock()


def load_on_demand(sdk: str) -> None:
    """From now on, the modules of `sdk`, such as `pulumi_gcp`, load class by class. Once imported, it stays whole."""
    if sdk not in sys.modules:
        sys.meta_path.insert(0, _Finder(sdk))


class _Finder(importlib.abc.MetaPathFinder):
    """Finds what Python would, and changes how it is loaded."""

    def __init__(self, sdk: str) -> None:
        self._sdk = sdk

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        sdk, *module = fullname.split(".")
        if sdk != self._sdk or not 1 <= len(module) <= 2 or module[0].startswith("_"):
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is None or not isinstance(spec.loader, importlib.machinery.SourceFileLoader):
            return spec
        whole = spec.loader
        if len(module) == 1:
            if spec.submodule_search_locations is not None:
                spec.loader = _PackageLoader(whole)
        elif module[1] in _TYPES:
            if Path(whole.path).stat().st_size >= _LARGE:
                spec.loader = _TypesLoader(whole)
        else:
            spec.loader = _ResourceLoader(whole)
        return spec


class _Loader(importlib.abc.Loader):
    def __init__(self, whole: importlib.machinery.SourceFileLoader) -> None:
        self._whole = whole

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        return None

    @cached_property
    def _source(self) -> str:
        return self._whole.get_source(self._whole.name) or ""


class _PackageLoader(_Loader):
    """A module of the SDK, such as `pulumi_gcp.compute`: each of its files when a name of it is asked for."""

    def exec_module(self, module: ModuleType) -> None:
        def load(name: str) -> object:
            with _lock:
                return self._find(module, name)

        vars(module)["__getattr__"] = load

    def _find(self, module: ModuleType, name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)
        if name in vars(module):
            return vars(module)[name]
        for file in (_snake_case(name), _snake_case(name.removesuffix("Args")), "_inputs"):
            if not (Path(self._whole.path).parent / f"{file}.py").exists():
                continue
            found = importlib.import_module(f"{module.__name__}.{file}")
            if file == name or hasattr(found, name):
                # `get_network` is a function in a file of its name, and the package gives the function.
                setattr(module, name, getattr(found, name, found))
                return vars(module)[name]
        del vars(module)["__getattr__"]
        self._whole.exec_module(module)
        return getattr(module, name)


class _TypesLoader(_Loader):
    """`_inputs` or `outputs`: each class, with the classes that its text names, when it is asked for."""

    def exec_module(self, module: ModuleType) -> None:
        starts = [(match[1], match.start()) for match in _CLASS.finditer(self._source)]
        ends = [start for _, start in starts[1:]] + [len(self._source)]
        texts = {name: self._source[start:end] for (name, start), end in zip(starts, ends, strict=True)}
        head = self._source[: starts[0][1]] if starts else self._source
        exec(compile(head, self._whole.path, "exec"), vars(module))
        # `import *` would ask for every name; who names a class gets it from `_ResourceLoader`.
        vars(module)["__all__"] = []

        def load(name: str) -> object:
            with _lock:
                if name not in texts:
                    raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}")
                wanted = [name]
                while wanted:
                    text = texts.pop(wanted.pop(), None)
                    if text is not None:
                        exec(compile(text, self._whole.path, "exec"), vars(module))
                        wanted.extend(named for named in set(_NAMED.findall(text)) if named in texts)
                return vars(module)[name]

        vars(module)["__getattr__"] = load


class _ResourceLoader(_Loader):
    """One resource's file; the types that its text names are put beside it, where Pulumi looks for them."""

    def exec_module(self, module: ModuleType) -> None:
        self._whole.exec_module(module)
        inputs = sys.modules.get(f"{module.__package__}._inputs")
        for name in set(_NAMED.findall(self._source)) if inputs else ():
            if name not in vars(module) and hasattr(inputs, name):
                setattr(module, name, getattr(inputs, name))


def _snake_case(name: str) -> str:
    """The name that Pulumi gives the file of a class: IAMMember stands in iam_member."""
    return _WORD_START.sub("_", name).lower()
