"""Loads of a generated Pulumi SDK only the classes that a program uses; docs/sdk_on_demand.md says what it wins.

Every line of the SDK that runs is as it was generated. What this module does not recognise, it loads whole.
"""

import __future__

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import marshal
import os
import re
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from hashlib import sha256
from pathlib import Path
from types import ModuleType

_CLASS = re.compile(rb"^(?:@[\w.]+\n)?class (\w+)", re.MULTILINE)
_WORD_START = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_NAMED = re.compile(rb"'(\w+)'")
"""Generated annotations name other classes in quotes, since these may stand further down."""
_DICT = "ArgsDict"
"""How the name of a typed dictionary ends. Only type checkers read where it is named: it waits to be asked for."""
_TYPES = ("_inputs", "outputs")
"""The two files of a module that hold the nested types of all its resources: most of what a program never names."""
_HEAD = ""
"""The name of what stands before the first class of a file."""

_Piece = tuple[tuple[str, ...], bytes] | bytes
"""The names in quotes of a piece of a file, and its code as marshal writes it; or its text."""

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
        if len(module) == 2:
            spec.loader = _TypesLoader(spec.loader) if module[1] in _TYPES else _ResourceLoader(spec.loader)
        elif spec.submodule_search_locations is not None:
            spec.loader = _PackageLoader(spec.loader)
        return spec


class _Loader(importlib.abc.Loader):
    def __init__(self, whole: importlib.machinery.SourceFileLoader) -> None:
        self._whole = whole
        self._path = Path(whole.path)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        return None


class _PackageLoader(_Loader):
    """A module of the SDK, such as `pulumi_gcp.compute`: each of its files when a name of it is asked for."""

    _complete = False

    def exec_module(self, module: ModuleType) -> None:
        def load(name: str) -> object:
            with _lock:
                return self._find(module, name)

        vars(module)["__getattr__"] = load

    def _find(self, module: ModuleType, name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)
        for file in (_snake_case(name), _snake_case(name.removesuffix("Args")), "_inputs"):
            if name in vars(module):
                return vars(module)[name]
            if not self._path.with_name(f"{file}.py").exists():
                continue
            found = importlib.import_module(f"{module.__name__}.{file}")
            if file == name or hasattr(found, name):
                # `get_network` is a function in a file of its name, and the package gives the function.
                setattr(module, name, getattr(found, name, found))
        if name not in vars(module) and not self._complete:
            self._complete = True
            self._whole.exec_module(module)
        if name not in vars(module):
            raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}")
        return vars(module)[name]


class _TypesLoader(_Loader):
    """`_inputs` or `outputs`: each class, with the classes that its text names, when it is asked for."""

    def exec_module(self, module: ModuleType) -> None:
        waiting = _pieces(self._path, _CLASS)
        _run(waiting.pop(_HEAD), module)
        # `import *` would ask for every name; who names a class gets it from `_ResourceLoader`.
        vars(module)["__all__"] = []

        def load(name: str) -> object:
            with _lock:
                wanted = [name]
                while wanted:
                    piece = waiting.pop(wanted.pop(), None)
                    if piece is not None:
                        wanted += (
                            each for each in _run(piece, module) if name.endswith(_DICT) or not each.endswith(_DICT)
                        )
                if name not in vars(module):
                    raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}")
                return vars(module)[name]

        vars(module)["__getattr__"] = load


class _ResourceLoader(_Loader):
    """One resource's file; the types that its text names are put beside it, where Pulumi looks for them."""

    def exec_module(self, module: ModuleType) -> None:
        named = _run(_pieces(self._path)[_HEAD], module)
        inputs = sys.modules.get(f"{module.__package__}._inputs")
        for name in named if inputs else ():
            if name not in vars(module) and not name.endswith(_DICT) and hasattr(inputs, name):
                setattr(module, name, getattr(inputs, name))


def _run(piece: _Piece, module: ModuleType) -> Sequence[str]:
    """Runs a piece of the module's file, and says which classes it names."""
    named, code = piece if isinstance(piece, tuple) else _compiled(piece, str(module.__file__))
    exec(marshal.loads(code), vars(module))
    return named


def _pieces(path: Path, start: re.Pattern[bytes] | None = None) -> dict[str, _Piece]:
    """The pieces of a file by the name of the class that begins there, what stands before the first as `_HEAD`.

    Compiled pieces are kept beside the bytecode that Python keeps, in a file named as Python names what is compiled in
    another way, and hold as long as Python's: for one version of Python, and one size and time of the source. Where
    nothing may be written there, they are text, and compiled when they run.
    """
    kept = Path(importlib.util.cache_from_source(path, optimization="ondemand"))
    state = path.stat()
    key = b"%s %d %d\n" % (_version(), state.st_size, state.st_mtime_ns)
    content = kept.read_bytes() if kept.exists() else b""
    if content.startswith(key):
        return marshal.loads(memoryview(content)[len(key) :])
    texts = _texts(path.read_bytes(), start)
    if sys.dont_write_bytecode or not os.access(kept.parent if kept.parent.exists() else path.parent, os.W_OK):
        return {**texts}
    pieces: dict[str, _Piece] = {name: _compiled(text, str(path)) for name, text in texts.items()}
    with suppress(OSError):
        kept.parent.mkdir(parents=True, exist_ok=True)
        unfinished = kept.with_name(f"{kept.name}.{os.getpid()}")
        unfinished.write_bytes(key + marshal.dumps(pieces))
        unfinished.replace(kept)
    return pieces


def _texts(source: bytes, start: re.Pattern[bytes] | None) -> dict[str, bytes]:
    classes = list(start.finditer(source)) if start else []
    starts = [0, *(each.start() for each in classes)]
    names = [_HEAD, *(each[1].decode() for each in classes)]
    ends = [*starts[1:], len(source)]
    return {name: source[start:end] for name, start, end in zip(names, starts, ends, strict=True)}


def _compiled(text: bytes, path: str) -> tuple[tuple[str, ...], bytes]:
    # Annotations stay text until somebody asks for them: to build them is most of what an SDK's classes cost.
    code = compile(text, path, "exec", __future__.annotations.compiler_flag, dont_inherit=True)
    return tuple(sorted({each.decode() for each in _NAMED.findall(text)})), marshal.dumps(code)


@cache
def _version() -> bytes:
    """What compiled pieces depend on besides their source: Python's bytecode, and how this module cuts."""
    return sha256(importlib.util.MAGIC_NUMBER + Path(__file__).read_bytes()).hexdigest().encode()


def _snake_case(name: str) -> str:
    """The name that Pulumi gives the file of a class: IAMMember stands in iam_member."""
    return _WORD_START.sub("_", name).lower()
