"""A stand-in for CUDA and TensorRT's runtime: memory is numpy's, and an engine is an ONNX file run by onnxruntime.

It keeps the order that the libraries ask for, after the docstrings of tensorrt_rtx_bindings 1.7 and cuda.bindings 13: a
profile, then shapes, then addresses, then execution; nothing is there before the stream was waited for.
"""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from unison_engine.errors import BackendFailed
from unison_engine.runtime.cuda import Cuda
from unison_engine.runtime.engines import EngineRecord
from unison_engine.runtime.session import Session
from unison_engine.runtime.tensorrt_library import Library


class Device:
    """Stands for `Cuda`: blocks of bytes by address; copies happen when the stream is waited for."""

    stream = 7
    name = "a stand-in"
    capability = "SM89"

    def __init__(self) -> None:
        self.memory: dict[int, NDArray[np.uint8]] = {}
        self.allocated = 0
        self.waiting: list[Any] = []
        self.full = False

    def allocate(self, size: int) -> int:
        if self.full:
            raise BackendFailed("cudaMalloc of CUDA failed: out of memory")
        self.allocated += 1
        address = 4096 * self.allocated
        self.memory[address] = np.zeros(size, np.uint8)
        return address

    def free(self, address: int) -> None:
        del self.memory[address]

    def send(self, array: NDArray[Any], address: int) -> None:
        assert array.flags.c_contiguous
        self.waiting.append(lambda: self._put(address, array))

    def fetch(self, address: int, array: NDArray[Any]) -> None:
        def copy() -> None:
            array.reshape(-1).view(np.uint8)[:] = self.memory[address][: array.nbytes]

        self.waiting.append(copy)

    def wait(self) -> None:
        waiting, self.waiting = self.waiting, []
        for do in waiting:
            do()

    def _put(self, address: int, array: NDArray[Any]) -> None:
        self.memory[address][: array.nbytes] = np.frombuffer(array.tobytes(), np.uint8)


class Context:
    """Stands for an execution context of one engine."""

    def __init__(self, engine: StandInEngine) -> None:
        self.engine = engine
        self.profiles: list[int] = []
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.addresses: dict[str, int] = {}

    def set_optimization_profile_async(self, index: int, stream: int) -> bool:
        assert stream == Device.stream
        self.profiles.append(index)
        self.shapes = {}
        return True

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        within = self.engine.record.profiles[self.profiles[-1]][name]
        self.shapes[name] = shape
        return all(a <= b <= c for a, b, c in zip(within.smallest, shape, within.largest, strict=True))

    def set_tensor_address(self, name: str, address: int) -> bool:
        self.addresses[name] = address
        return address in self.engine.device.memory

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        # The library knows it from the graph; the stand-in has to run it.
        zeros = {one: np.ones(self.shapes[one], spec.dtype) for one, spec in self.engine.record.inputs.items()}
        return self.engine.run(**zeros).shape

    def execute_async_v3(self, stream: int) -> bool:
        assert stream == Device.stream and self.shapes.keys() == self.engine.record.inputs.keys()
        shapes, addresses = dict(self.shapes), dict(self.addresses)

        def execute() -> None:
            device, record = self.engine.device, self.engine.record
            given = {
                name: device.memory[addresses[name]]
                .view(spec.dtype)[: int(np.prod(shapes[name]))]
                .reshape(shapes[name])
                .copy()
                for name, spec in record.inputs.items()
            }
            (output,) = record.outputs
            device._put(addresses[output], self.engine.run(**given))

        self.engine.device.waiting.append(execute)
        return not self.engine.fails


class StandInEngine:
    """Stands for a deserialised engine."""

    def __init__(self, record: EngineRecord, onnx: Path, device: Device) -> None:
        self.record, self.device = record, device
        self.run = Session(onnx, 1)
        self.fails = False
        self.contexts: list[Context] = []
        self.kernels: list[bytes] = []

    def create_runtime_config(self) -> Any:
        cache = SimpleNamespace(deserialize=self.kernels.append, serialize=lambda: b"kernels")
        return SimpleNamespace(create_runtime_cache=lambda: cache, set_runtime_cache=lambda one: one is cache)

    def create_execution_context(self, settings: object = None) -> Context:
        self.contexts.append(Context(self))
        return self.contexts[-1]


def stand_in(engine: StandInEngine | None, device: Device) -> tuple[Library, Cuda]:
    """A library whose runtime hands out this engine, or none, and the device it runs on."""

    class Logger:
        ERROR, INTERNAL_ERROR = "error", "internal"

    class Runtime:
        def __init__(self, log: Any) -> None:
            self.log = log

        def deserialize_cuda_engine(self, data: bytes) -> StandInEngine | None:
            if engine is None:
                self.log.log(Logger.ERROR, "the magic tag does not match")
            return engine

    class ILogger(Logger):
        def __init__(self) -> None:
            pass

    api = SimpleNamespace(ILogger=ILogger, Runtime=Runtime, __version__="1.7.1")
    return Library("rtx", api), cast(Cuda, device)
