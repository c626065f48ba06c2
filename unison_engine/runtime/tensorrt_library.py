"""The two TensorRT libraries, behind the one Python interface that they share: to build engines, and to run them."""

from __future__ import annotations

import ctypes
import importlib
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from unison_engine.errors import ModelMissing
from unison_engine.runtime.engines import Target

_MODULES: dict[Target, str] = {"rtx": "tensorrt_rtx_bindings", "enterprise": "tensorrt"}
_INSTALL: dict[Target, str] = {
    "rtx": "pip install 'unison-engine[tensorrt]'",
    "enterprise": "pip install tensorrt, on a machine with an NVIDIA driver of version 580 or newer",
}
# The bindings come without libraries. Those are in the wheel of ONNX Runtime's provider; the second needs the first.
_PROVIDER = "onnxruntime_ep_nv_tensorrt_rtx"
# How the builder's detailed log begins to list what the engine inspector shows of a loaded engine.
_LISTING = "Layers:\n"
_SHARED = ("libtensorrt_rtx.so.1.*", "libtensorrt_onnxparser_rtx.so.1.*")


@dataclass(frozen=True)
class Library:
    """An imported library; `api` is its module."""

    target: Target
    api: Any

    @property
    def version(self) -> str:
        """Version of the library; an engine is loaded by no other."""
        return str(self.api.__version__)

    def log(self) -> Any:
        """A logger to give to the library: `last()` is the error told last, `listing` the builder's list of layers."""
        # Its class exists only once the library is loaded.
        trt: Any = self.api

        class Log(trt.ILogger):  # type: ignore[misc]
            def __init__(self) -> None:
                trt.ILogger.__init__(self)
                self.errors: list[str] = []
                self.listing = ""

            def log(self, severity: Any, message: str) -> None:
                if severity in (trt.ILogger.ERROR, trt.ILogger.INTERNAL_ERROR):
                    self.errors.append(message)
                elif message.startswith(_LISTING):
                    self.listing = message

            def last(self) -> str:
                return self.errors[-1] if self.errors else "it gave no reason."

        return Log()


def load_library(target: Target) -> Library:
    """Import the library of a target.

    Raises:
        ModelMissing: it is not installed, or its shared libraries are not.
    """
    try:
        if target == "rtx":
            _load_shared()
        return Library(target, importlib.import_module(_MODULES[target]))
    except (ImportError, OSError) as error:
        raise ModelMissing(
            f"the library for target {target!r} cannot be loaded ({error}); run: {_INSTALL[target]}."
        ) from error


def _load_shared() -> None:
    spec = find_spec(_PROVIDER)
    if spec is None or spec.origin is None:
        return  # They may come from elsewhere; the import tells.
    for pattern in _SHARED:
        for path in sorted(Path(spec.origin).parent.glob(pattern))[-1:]:
            ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL)
