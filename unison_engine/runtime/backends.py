"""The backends that come with the engine: onnxruntime, and OpenVINO and TensorRT where they are installed."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from unison_engine.bundle import Bundle, Narrow
from unison_engine.errors import BackendFailed
from unison_engine.hooks import hookimpl
from unison_engine.machine import multiplies_int8, processor
from unison_engine.runtime.backend import Backend, Runner
from unison_engine.runtime.tensorrt import TensorRt


class OnnxRuntime:
    """onnxruntime: on CUDA where onnxruntime-gpu is installed and finds a device, else on the processor."""

    automatic = True

    def __init__(self, name: str = "onnxruntime", precision: Narrow | None = None) -> None:
        """With a precision, it runs the variants of graphs that a bundle holds in it, and other graphs as they are."""
        self.name = name
        self.precision = precision

    def describe(self) -> str:
        """See `Backend.describe`."""
        import onnxruntime

        from unison_engine.runtime.session import providers

        label = f"onnxruntime {onnxruntime.__version__} on {providers()[0].removesuffix('ExecutionProvider')}"
        if self.precision is None:
            return label
        if not multiplies_int8():
            # The kernels for others add up in 16 bits, which overflow.
            raise BackendFailed(
                f"{self.name} needs a processor with dot products of int8, which {processor()} is not known to have; "
                "use onnxruntime here."
            )
        return f"{label} in {self.precision}"

    def load(self, bundle: Bundle, graph: str, threads: int) -> Runner:
        """See `Backend.load`."""
        from unison_engine.runtime.session import Session

        return Session(bundle.graph(graph, self.precision), threads, bundle.external_data(graph))


class OpenVino:
    """OpenVINO on the processor, in float32, or in bfloat16 where the processor has instructions for it."""

    automatic = True

    def __init__(self, name: str, precision: Literal["f32", "bf16"]) -> None:
        """`precision` is OpenVINO's hint for the products; bf16 is chosen only for graphs whose bundle allows it."""
        self.name = name
        self.precision: Narrow | None = "bf16" if precision == "bf16" else None
        self._hint = precision

    def describe(self) -> str:
        """See `Backend.describe`."""
        openvino = _openvino()
        capabilities = openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        if self._hint == "bf16" and "BF16" not in capabilities:
            raise BackendFailed(f"{self.name} needs a processor with bfloat16 instructions; use openvino here.")
        return f"openvino {openvino.__version__.partition('-')[0]} on CPU in {self._hint}"

    def load(self, bundle: Bundle, graph: str, threads: int) -> Runner:
        """See `Backend.load`."""
        core = _openvino().Core()
        settings = {
            "INFERENCE_NUM_THREADS": threads,
            "INFERENCE_PRECISION_HINT": self._hint,
            "PERFORMANCE_HINT": "LATENCY",
            # A core is not taken from the audio callback for good.
            "ENABLE_CPU_PINNING": False,
        }
        path, data = bundle.graph(graph), bundle.external_data(graph)
        try:
            model = core.read_model(path) if data is None else _read_beside(core.read_model, path, data)
            request = core.compile_model(model, "CPU", settings).create_infer_request()
        except Exception as error:  # Whatever its C++ raises comes as RuntimeError, and more from its Python.
            raise BackendFailed(f"{self.name} cannot load {path}: {error}") from error

        def run(**inputs: NDArray[Any]) -> NDArray[Any]:
            try:
                return np.asarray(request.infer(inputs, share_inputs=True)[0])
            except Exception as error:
                raise BackendFailed(f"{self.name} cannot run {path}: {error}") from error

        return run


@hookimpl
def unison_register_backends(register: Callable[[Backend], None]) -> None:
    """The first is the one that every machine has."""
    register(OnnxRuntime())
    register(OnnxRuntime("onnxruntime-int8", "int8"))
    register(OpenVino("openvino", "f32"))
    register(OpenVino("openvino-bf16", "bf16"))
    register(TensorRt("tensorrt-rtx", "rtx"))
    register(TensorRt("tensorrt", "enterprise"))


def _openvino() -> Any:
    try:
        import openvino
    except ImportError as error:
        raise BackendFailed(f"openvino cannot be used ({error}); run: pip install 'unison-engine[openvino]'") from None
    return openvino


def _read_beside(read: Callable[[Path], Any], graph: Path, data: Path) -> Any:
    # OpenVINO takes external data from the graph's own folder alone.
    with tempfile.TemporaryDirectory(dir=data.parent, ignore_cleanup_errors=True) as folder:
        near = Path(folder) / graph.name
        shutil.copyfile(graph, near)
        (Path(folder) / data.name).hardlink_to(data)
        return read(near)
