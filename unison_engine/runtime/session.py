"""A graph on onnxruntime."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from unison_engine.errors import BackendFailed

Array = NDArray[Any]
# The smallest model there is, y = x: one float32 of opset 17.
_IDENTITY = (
    b'\x08\x08\x12\x00:7\n\x10\n\x01x\x12\x01y"\x08Identity\x12\x01gZ\x0f\n\x01x\x12\n\n\x08\x08\x01\x12\x04\n\x02\x08\x01'
    b"b\x0f\n\x01y\x12\n\n\x08\x08\x01\x12\x04\n\x02\x08\x01B\x04\n\x00\x10\x11"
)


@functools.cache
def providers() -> list[str]:
    """What onnxruntime computes with here, best first: CUDA where onnxruntime-gpu finds it working, and the processor.

    A build for CUDA names it as available on any machine, and a session that cannot have it takes the processor.
    """
    wanted = ("CUDAExecutionProvider", "CPUExecutionProvider")
    offered = [name for name in wanted if name in onnxruntime.get_available_providers()]
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    return list(onnxruntime.InferenceSession(_IDENTITY, options, providers=offered).get_providers())


class Session:
    """An ONNX graph on onnxruntime.

    Args:
        path: the graph.
        threads: of the matrix products.
        data: external data of the graph, where it does not lie beside it.

    Raises:
        BackendFailed: onnxruntime cannot load the file; likewise when it cannot run it.
    """

    def __init__(self, path: Path, threads: int, data: Path | None = None) -> None:
        self._path = path
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # A spinning pool would starve the audio callback and the host between two steps.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        if data is not None:
            weights = data.read_bytes()
            options.add_external_initializers_from_files_in_memory([data.name], [weights], [len(weights)])
        try:
            self._session = onnxruntime.InferenceSession(path, options, providers=providers())
        except Exception as error:  # onnxruntime raises classes of its own that share no public base.
            raise BackendFailed(f"onnxruntime cannot load {path}: {error}") from error

    def __call__(self, **inputs: Array) -> Array:
        """Run the graph; returns its one output."""
        try:
            return np.asarray(self._session.run(None, inputs)[0])
        except Exception as error:
            raise BackendFailed(f"onnxruntime cannot run {self._path}: {error}") from error
