"""One ONNX graph to one serialized engine."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from unison_engine.errors import BadArguments, EngineFailed
from unison_engine.runtime.engines import ShapeRange, Weights
from unison_engine.runtime.tensorrt_library import Library

_FLAGS: dict[Weights, tuple[str, ...]] = {"baked": (), "refittable": ("REFIT",), "stripped": ("REFIT", "STRIP_PLAN")}


@dataclass(frozen=True)
class Engine:
    """A serialized engine.

    Attributes:
        data: its bytes.
        layers: number of layers of each kind in the network that the graph was read as.
        listing: every layer and tensor of the engine, as the library's inspector words it.
    """

    data: bytes
    layers: dict[str, int]
    listing: str

    @property
    def kernels(self) -> Counter[str]:
        """Number of layers of each kind in the engine."""
        return Counter(re.findall(r"LayerType: ([^,]*),", self.listing))


def build_engine(
    library: Library,
    onnx: Path,
    profiles: Sequence[dict[str, ShapeRange]],
    weights: Weights,
    capabilities: Sequence[str],
) -> Engine:
    """Build the engine of an ONNX file.

    Args:
        library: see `load_library`.
        onnx: the graph; its tensors' types are the precision of the engine.
        profiles: ranges of the inputs' shapes.
        weights: whether they can be exchanged later.
        capabilities: graphics processors to build for, such as "SM89"; none takes the library's default.

    Raises:
        BadArguments: see `check_capabilities`.
        EngineFailed: the library cannot read the graph or build the engine; says what it reported.
    """
    check_capabilities(library, capabilities)
    trt = library.api
    log = library.log()
    try:
        builder = trt.Builder(log)
    except TypeError:  # The binding's way to say that there was none to be had, such as without a working driver.
        raise EngineFailed(f"TensorRT cannot start: {log.last()}") from None
    network = builder.create_network(0)
    parser = trt.OnnxParser(network, log)
    if not parser.parse_from_file(str(onnx)):
        faults = "; ".join(parser.get_error(index).desc() for index in range(parser.num_errors))
        raise EngineFailed(f"TensorRT cannot read {onnx}: {faults}")
    config = builder.create_builder_config()
    config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED
    for flag in _FLAGS[weights]:
        config.set_flag(getattr(trt.BuilderFlag, flag))
    for index, name in enumerate(capabilities):
        config.num_compute_capabilities = index + 1
        config.set_compute_capability(trt.ComputeCapability.__members__[name], index)
    for ranges in profiles:
        profile = builder.create_optimization_profile()
        for name, shapes in ranges.items():
            profile.set_shape(name, shapes.smallest, shapes.best, shapes.largest)
        config.add_optimization_profile(profile)
    serialized = builder.build_serialized_network(network, config)
    if serialized is None:
        note = "" if weights == "baked" else f" With {weights} weights the builder needs the CUDA driver."
        raise EngineFailed(f"TensorRT cannot build an engine of {onnx}: {log.last()}{note}")
    layers = Counter(network.get_layer(index).type.name for index in range(network.num_layers))
    return Engine(bytes(serialized), dict(sorted(layers.items())), log.listing)


def check_capabilities(library: Library, names: Sequence[str]) -> None:
    """Look whether the library builds for these graphics processors.

    Raises:
        BadArguments: it builds for no such processor.
    """
    if not names:
        return
    if library.target == "enterprise":
        raise BadArguments("TensorRT builds for the GPU of this machine alone; leave the capabilities out.")
    known = {name for name in library.api.ComputeCapability.__members__ if name.startswith("SM")}
    for name in names:
        if name not in known:
            raise BadArguments(f"TensorRT-RTX cannot build for {name!r}; choose from {', '.join(sorted(known))}.")
