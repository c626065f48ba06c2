"""What a backend is: a library that runs the graphs of a bundle."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from numpy.typing import NDArray

from unison_engine.bundle import Bundle, Narrow

Runner = Callable[..., NDArray[Any]]
"""A loaded graph: named inputs to its one output."""


class Backend(Protocol):
    """A library that runs graphs on one kind of device. It imports the library when it is first used, not before.

    Attributes:
        name: what users choose it by.
        automatic: whether it may be chosen without being named; False where it rounds in a way that the maker of the
            bundle has not measured.
        precision: of the variants of graphs that it runs, where a bundle has them; None runs graphs as they are.
    """

    name: str
    automatic: bool
    precision: Narrow | None

    def describe(self) -> str:
        """Library, version and device: "onnxruntime 1.32.0 on the CPU".

        Raises:
            BackendFailed: it does not work on this machine; the message says why, and what to do about it.
        """

    def load(self, bundle: Bundle, graph: str, threads: int) -> Runner:
        """Load a graph of a bundle.

        Args:
            bundle: the bundle.
            graph: name of the graph.
            threads: of the matrix products, where the processor computes.

        Raises:
            ModelMissing: see `Bundle.external_data`.
            BackendFailed: the library cannot load it; what is returned raises the same when it cannot run it.
        """
