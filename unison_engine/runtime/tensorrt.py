"""TensorRT as a backend: runs the engines that `unison-export tensorrt` built of a bundle's graphs."""

from __future__ import annotations

import functools
import logging
import os
import tempfile
from collections.abc import Mapping
from typing import Any

import numpy as np
import platformdirs
from numpy.typing import NDArray

from unison_engine.bundle import Bundle, Narrow
from unison_engine.errors import BackendFailed, ModelMissing
from unison_engine.runtime.backend import Runner
from unison_engine.runtime.cuda import Buffer, Cuda
from unison_engine.runtime.engines import NOT_COMPILED, EngineRecord, ShapeRange, Target, load_engine
from unison_engine.runtime.session import Session
from unison_engine.runtime.tensorrt_library import Library, load_library

log = logging.getLogger(__name__)


class TensorRt:
    """Engines on a graphics processor, and onnxruntime for the graph that is not compiled.

    Never chosen unless named: no bundle tells what an engine's precision costs on the processor that runs it.
    """

    automatic = False
    precision: Narrow | None = None

    def __init__(self, name: str, target: Target) -> None:
        self.name = name
        self._target = target

    def describe(self) -> str:
        """See `Backend.describe`."""
        library, cuda = self._device
        return f"{self.name} {library.version} on {cuda.name}"

    def load(self, bundle: Bundle, graph: str, threads: int) -> Runner:
        """See `Backend.load`."""
        if graph in NOT_COMPILED:
            return Session(bundle.graph(graph), threads, bundle.external_data(graph))
        library, cuda = self._device
        try:
            record, data = load_engine(bundle, graph, self._target, library.version, cuda.capability)
        except ModelMissing as error:
            raise BackendFailed(f"{self.name}: {error}") from error
        if record.weights == "stripped":
            raise BackendFailed(
                f"{self.name}: the engine of {graph} has no weights, and none are put in here; build it again with "
                "`unison-export tensorrt` and --weights baked."
            )
        return EngineRunner(library, record, data, cuda)

    @functools.cached_property
    def _device(self) -> tuple[Library, Cuda]:
        try:
            library = load_library(self._target)
        except ModelMissing as error:
            raise BackendFailed(str(error)) from error
        return library, Cuda()


class EngineRunner:
    """One engine, called like any runner: named inputs to its one output.

    Inputs are copied to the device, the output back, in one stream; memory there is kept from call to call. What
    TensorRT-RTX compiles for this processor at the first run of a shape is kept in the user's cache folder.

    Args:
        library: the one that built the engine.
        record: what the engine takes and gives.
        data: the engine.
        cuda: where it runs.

    Raises:
        BackendFailed: the library does not take the engine; likewise when it cannot run it.
    """

    def __init__(self, library: Library, record: EngineRecord, data: bytes, cuda: Cuda) -> None:
        self._record, self._cuda = record, cuda
        self._log = library.log()
        # The engine and its context work only as long as the runtime does.
        try:
            self._runtime = library.api.Runtime(self._log)
        except TypeError:  # The binding's way to say that there was no runtime to be had.
            raise self._failed("cannot be loaded") from None
        self._engine = self._runtime.deserialize_cuda_engine(data)
        if self._engine is None:
            raise self._failed("cannot be loaded")
        self._kernels = _KernelCache(self._engine, record) if record.target == "rtx" else None
        self._context = (
            self._kernels.context() if self._kernels is not None else self._engine.create_execution_context()
        )
        if self._context is None:
            raise self._failed("cannot be prepared")
        (self._output,) = record.outputs
        self._buffers = {name: Buffer(cuda) for name in (*record.inputs, self._output)}
        self._profile = -1
        self._met: set[tuple[tuple[int, ...], ...]] = set()

    def __call__(self, **inputs: NDArray[Any]) -> NDArray[Any]:
        """Run the engine; returns its one output."""
        given = self._checked(inputs)
        self._take_profile(given)
        for name, array in given.items():
            address = self._buffers[name].hold(array)
            self._cuda.send(array, address)
            taken = self._context.set_input_shape(name, array.shape)
            if not (taken and self._context.set_tensor_address(name, address)):
                raise self._failed(f"does not take {name} of shape {list(array.shape)}")
        shape = tuple(self._context.get_tensor_shape(self._output))
        output = np.empty(shape, self._record.outputs[self._output].dtype)
        address = self._buffers[self._output].hold(output)
        self._context.set_tensor_address(self._output, address)
        if not self._context.execute_async_v3(self._cuda.stream):
            raise self._failed("cannot be run")
        self._cuda.fetch(address, output)
        self._cuda.wait()
        shapes = tuple(array.shape for array in given.values())
        if self._kernels is not None and shapes not in self._met:
            self._kernels.keep()
        self._met.add(shapes)
        return output

    def _checked(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """The inputs in the order and types of the record."""
        if inputs.keys() != self._record.inputs.keys():
            wanted, found = sorted(self._record.inputs), sorted(inputs)
            raise BackendFailed(f"the engine of {self._record.graph} takes {wanted}, not {found}; report this.")
        return {name: np.ascontiguousarray(inputs[name], spec.dtype) for name, spec in self._record.inputs.items()}

    def _take_profile(self, given: Mapping[str, NDArray[Any]]) -> None:
        """The first profile whose ranges hold all shapes; changing it is a call that waits."""
        fitting = (
            index
            for index, ranges in enumerate(self._record.profiles)
            if all(_holds(ranges[name], array.shape) for name, array in given.items())
        )
        if (index := next(fitting, None)) is None:
            shapes = {name: list(array.shape) for name, array in given.items()}
            taken = [
                {name: f"{list(one.smallest)} to {list(one.largest)}" for name, one in ranges.items()}
                for ranges in self._record.profiles
            ]
            raise BackendFailed(
                f"no profile of the engine of {self._record.graph} holds {shapes}; there are {taken}. "
                "If the sound is too long, build the engines with a --bucket that holds it."
            )
        if index != self._profile:
            if not self._context.set_optimization_profile_async(index, self._cuda.stream):
                raise self._failed(f"cannot change to profile {index}")
            self._cuda.wait()
            self._profile = index

    def _failed(self, what: str) -> BackendFailed:
        record = self._record
        return BackendFailed(f"the engine of {record.graph} for {record.target} {what}: {self._log.last()}")


class _KernelCache:
    """Kernels that TensorRT-RTX compiled for this processor, in a file named by the engine's hash."""

    def __init__(self, engine: Any, record: EngineRecord) -> None:
        self._engine = engine
        self._file = platformdirs.user_cache_path("unison-engine") / "tensorrt-rtx" / f"{record.sha256[:16]}.kernels"
        self._settings = engine.create_runtime_config()
        self._cache = self._settings.create_runtime_cache()

    def context(self) -> Any:
        """An execution context that takes kernels from the cache. One for another machine is left aside by TensorRT."""
        if self._file.is_file():
            self._cache.deserialize(self._file.read_bytes())
        self._settings.set_runtime_cache(self._cache)
        return self._engine.create_execution_context(self._settings)

    def keep(self) -> None:
        """Write the kernels known by now."""
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=self._file.parent, suffix=".partial", delete=False) as unfinished:
                unfinished.write(bytes(self._cache.serialize()))
            os.replace(unfinished.name, self._file)
        except OSError as error:
            log.warning("the kernels of %s cannot be kept (%s); they will be compiled again", self._file.stem, error)


def _holds(within: ShapeRange, shape: tuple[int, ...]) -> bool:
    sizes = zip(within.smallest, shape, within.largest, strict=True)
    return all(least <= size <= most for least, size, most in sizes)
