"""Tensors without memory that vLLM's loaders take for real ones, and the bytes that they would have on a GPU."""

import gc
import linecache
import sys
from collections.abc import Callable
from typing import Any

import torch
from torch._subclasses import fake_impls
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.overrides import TorchFunctionMode

_MIB = 2**20
_mixed: dict[type, type] = {}
_new_parameter = torch.nn.Parameter.__new__
_make_subclass = torch.Tensor._make_subclass


def patch() -> None:
    """Once, after vLLM's modules are there and before the first model is built."""
    FakeTensorMode.avoid_device_init = property(lambda _self: True)  # torch's own way for a machine without a GPU
    fake_impls.op_implementations_dict[torch.ops.aten._local_scalar_dense.default] = _scalar
    torch.nn.Parameter.__new__ = _parameter
    torch.Tensor._make_subclass = staticmethod(_subclass)
    torch.nn.Module.to = _module_to


def _with_loader(kind: type) -> type:
    """vLLM's parameter classes carry loaders and dimensions; a fake tensor of one must stay one."""
    if kind not in _mixed:
        _mixed[kind] = type(torch.nn.Parameter)(kind.__name__, (kind, FakeTensor), {})
    return _mixed[kind]


def _parameter(cls: type, data: Any = None, requires_grad: bool = True) -> Any:
    made = _new_parameter(cls, data, requires_grad)
    if isinstance(made, FakeTensor) and cls is not torch.nn.Parameter and not isinstance(made, cls):
        made.__class__ = _with_loader(cls)
    return made


def _subclass(cls: type, data: Any, *args: Any, **kwargs: Any) -> Any:
    if not isinstance(data, FakeTensor):
        return _make_subclass(cls, data, *args, **kwargs)
    made = data.detach()
    made.__class__ = cls if issubclass(cls, FakeTensor) else _with_loader(cls)
    return made


def _module_to(self: torch.nn.Module, *args: Any, **kwargs: Any) -> torch.nn.Module:
    """nn.Module.to without swapping tensors, which fake parameters refuse."""
    device, dtype, *_ = torch._C._nn._parse_to(*args, **kwargs)
    for module in self.modules():
        for tensors in (module._parameters, module._buffers):
            for name, old in list(tensors.items()):
                if old is not None:
                    tensors[name] = _moved(old, device, dtype)
    return self


def _moved(old: torch.Tensor, device: torch.device | None, dtype: torch.dtype | None) -> torch.Tensor:
    wanted = dtype if dtype is not None and old.is_floating_point() else old.dtype
    new = old.detach().to(device or old.device, wanted)
    if new.dtype == old.dtype and new.device == old.device:
        return old
    if isinstance(old, torch.nn.Parameter):
        new = torch.nn.Parameter(new, requires_grad=old.requires_grad)
        new.__dict__.update(old.__dict__)
    return new


def _scalar(_mode: Any, _function: Any, tensor: Any) -> bool | int | float:
    """`.item()` of a weight, which has no data: loaders take the branch of the value one, and of a check that holds."""
    if tensor.constant is not None:
        return tensor.constant.item()
    if tensor.dtype is torch.bool:
        return _check_holds()
    return 1.0 if tensor.dtype.is_floating_point else 1


def _check_holds() -> bool:
    """Loaders assert that scales are positive and equal, and ask whether any number is none or infinite."""
    frame = sys._getframe(1)
    while frame is not None and ("/torch/" in frame.f_code.co_filename or frame.f_code.co_filename == __file__):
        frame = frame.f_back
    line = linecache.getline(frame.f_code.co_filename, frame.f_lineno) if frame else ""
    return not ("nan" in line or "inf" in line)


class Loading(TorchFunctionMode):
    """Functions whose result depends on data that is not there, while a model is built and its weights are packed."""

    def __torch_function__(
        self, function: Callable[..., Any], _types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if function is torch.Tensor.pin_memory:
            return args[0]
        if function in (torch.allclose, torch.equal):
            return True
        # Kernels' layouts are written expert by expert, thousands of times, into what has been allocated.
        if function is torch.index_select and kwargs.get("out") is not None:
            return kwargs["out"]
        if function is torch.Tensor.copy_ and isinstance(args[1], torch.Tensor) and args[0].shape == args[1].shape:
            return args[0]
        if function in (torch.unique, torch.Tensor.unique):
            return args[0].flatten()[:1]
        if function is torch.Tensor.__getitem__ and isinstance(args[1], torch.Tensor) and args[1].dtype is torch.bool:
            return args[0].flatten()[:1]  # the scales that are not zero, of which the least is looked for
        if function in (torch.where, torch.Tensor.where) and len(args) == 1:  # a log line of the experts of a rank
            return (args[0].flatten()[:0].long(),)
        if function is torch.Tensor.new_tensor:  # the widths of parts that are one matrix, by which scales are repeated
            made = function(*args, **kwargs)
            made.told = args[1]
            return made
        if function in (torch.repeat_interleave, torch.Tensor.repeat_interleave):
            return _repeated(function, args, kwargs)
        return function(*args, **kwargs)


def _repeated(function: Callable[..., Any], args: Any, kwargs: dict[str, Any]) -> Any:
    by_tensor = len(args) > 1 and isinstance(args[1], torch.Tensor) and "output_size" not in kwargs
    if not by_tensor:
        return function(*args, **kwargs)
    if (told := getattr(args[1], "told", None)) is not None:
        return function(*args, **{**kwargs, "output_size": sum(told)})
    counts = getattr(args[1], "constant", None)
    return args[0] if counts is None else function(*args, **{**kwargs, "output_size": int(counts.sum())})


def allocated_on_gpu() -> int:
    """Bytes that torch's allocator would count for every live storage on the GPU."""
    gc.collect()
    sizes: dict[int, int] = {}
    for found in gc.get_objects():
        if on_gpu(found):
            storage = found.untyped_storage()
            sizes[storage._cdata] = storage.nbytes()
    return sum(map(allocated, sizes.values()))


def on_gpu(found: Any) -> bool:
    """Whether it is a tensor without memory on the GPU."""
    kind = type(found)  # not isinstance(), which asks lazy objects for their class and so loads them
    if issubclass(kind, FakeTensor):
        return found.fake_device.type == "cuda"
    return issubclass(kind, torch.nn.Parameter) and found.device.type == "cuda"


def allocated(size: int) -> int:
    """Bytes that the caching allocator counts for one of `size`; vLLM loads with `max_split_size_mb` 20.

    A block of 20 MiB or more is never split and keeps its multiple of 2 MiB; of a smaller one up to 1 MiB stays.
    """
    if size < 10 * _MIB:
        return -(-size // 512) * 512
    block = -(-size // (2 * _MIB)) * 2 * _MIB
    return block if size >= 20 * _MIB or block - size <= _MIB else size
