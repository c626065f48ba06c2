"""Running one graph."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from unison_engine.errors import ModelMissing

Array = NDArray[Any]


def physical_cores() -> int:
    """Cores this process may use; two hardware threads of a core share its vector unit and count once."""
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    siblings = Path("/sys/devices/system/cpu/cpu0/topology/thread_siblings_list")
    shared = 2 if siblings.is_file() and any(mark in siblings.read_text() for mark in ",-") else 1
    return max(1, available // shared)


class Session:
    """An ONNX graph on onnxruntime's CPU provider.

    Args:
        path: the graph.
        threads: of the matrix products.
        data: external data of the graph, where it does not lie beside it.

    Raises:
        ModelMissing: onnxruntime cannot load the file.
    """

    def __init__(self, path: Path, threads: int, data: Path | None = None) -> None:
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
            self._session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime raises classes of its own that share no public base.
            raise ModelMissing(f"{path} cannot be loaded: {error}") from error

    def __call__(self, **inputs: Array) -> Array:
        """Run the graph; returns its one output."""
        return np.asarray(self._session.run(None, inputs)[0])
