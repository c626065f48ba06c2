"""Graphs whose large matrix products compute in 8 bits.

Weights are int8 with a scale per output channel, activations uint8 with a scale that is found at run time (ONNX
Runtime's dynamic quantization). Layers whose rounding harms the output most, for what they would save, stay float32:
they are found on inputs that the graph meets when the model makes sounds, so weights must be trained ones.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.quantization.quant_utils import add_pre_process_metadata

from unison_engine.machine import physical_cores
from unison_engine.runtime.session import Session
from unison_export.graphs import halve_weights

Inputs = Mapping[str, NDArray[Any]]
TOLERANCE = 0.02
_SWITCHES = "switches"
# Elements of the smallest weight that is worth rounding.
_SMALLEST = 4096
# Protocol buffers end at 2 GiB; what is larger keeps its weights in a file beside it.
_INLINE_BYTES = 1.8e9


@dataclass(frozen=True)
class Layer:
    """A product: its node, the error of the output when it alone computes in 8 bits, whether it stays float32."""

    name: str
    error: float
    kept: bool


@dataclass(frozen=True)
class Quantized:
    """What became of a graph.

    Attributes:
        file: the graph that was written.
        layers: every product with a constant weight, in the order of the graph.
        error: largest relative error of the output, see `relative_error`, over all samples.
        typical: the median of it.
    """

    file: Path
    layers: tuple[Layer, ...]
    error: float
    typical: float

    @property
    def kept(self) -> list[str]:
        """Layers that stay float32."""
        return [layer.name for layer in self.layers if layer.kept]

    def describe(self) -> str:
        """In words, as the manifest tells it."""
        rest = f", {len(self.kept)} of {len(self.layers)} products float32" if self.kept else ""
        return f"int8 per channel, activations uint8{rest}"


def quantize(graph: Path, out: Path, samples: Sequence[Inputs], tolerance: float = TOLERANCE) -> Quantized:
    """Write a graph with its products in 8 bits, but for those that must stay float32 to hold the tolerance.

    Layers are left out in the order of squared error per weight until the error of the output is within `tolerance`;
    if none holds it, all stay float32.

    Args:
        graph: an ONNX graph of any size with one output, weights in it or beside it.
        out: file of the new graph.
        samples: inputs to judge by; some from every part of the noise schedule, and of every task.
        tolerance: largest relative error of the output for any sample.
    """
    model = onnx.load(graph)
    _fold(model)
    cost = _products(model)
    layers = list(cost)
    with tempfile.TemporaryDirectory() as folder:
        judge = _Judge(model, layers, samples, Path(folder))
        alone = {name: judge.error({name}) for name in layers}
        worst_first = sorted(layers, key=lambda name: alone[name] ** 2 / cost[name], reverse=True)
        count = _fewest(lambda left_out: judge.error(set(worst_first[left_out:])) <= tolerance, len(layers))
        kept = set(worst_first[:count])
        expected = judge.expected
        del judge
    _write(model, [name for name in layers if name not in kept], out)
    run = Session(out, physical_cores())
    errors = [relative_error(run(**inputs), wanted) for inputs, wanted in zip(samples, expected, strict=True)]
    told = tuple(Layer(name, alone[name], name in kept) for name in layers)
    return Quantized(out, told, max(errors), float(np.median(errors)))


def relative_error(found: NDArray[Any], expected: NDArray[Any]) -> float:
    """Root mean square of the difference over that of what is expected."""
    difference = found.astype(np.float64) - expected
    return float(np.sqrt(np.square(difference).mean() / (np.square(expected, dtype=np.float64).mean() + 1e-30)))


class _Judge:
    """One session that computes every layer in both precisions and switches between them, so that none is made anew."""

    def __init__(self, model: onnx.ModelProto, layers: Sequence[str], samples: Sequence[Inputs], folder: Path) -> None:
        both = onnx.ModelProto()
        both.CopyFrom(model)
        nodes = []
        for node in both.graph.node:
            nodes.append(node)
            if node.name not in layers:
                continue
            index, output = layers.index(node.name), node.output[0]
            rounded = helper.make_node("MatMul", node.input, [f"{output}.int8"], name=f"{node.name}.int8")
            node.output[0] = f"{output}.float32"
            number = numpy_helper.from_array(np.array(index, np.int64), f"{output}.index")
            both.graph.initializer.append(number)
            chosen = helper.make_node("Gather", [_SWITCHES, number.name], [f"{output}.chosen"], name=f"{output}.choose")
            either = [chosen.output[0], rounded.output[0], node.output[0]]
            nodes += [rounded, chosen, helper.make_node("Where", either, [output], name=f"{output}.either")]
        _set_nodes(both, nodes)
        both.graph.input.append(helper.make_tensor_value_info(_SWITCHES, TensorProto.BOOL, [len(layers)]))
        file = folder / "both.onnx"
        _quantize(both, [f"{name}.int8" for name in layers], file)
        del both
        self._run = Session(file, physical_cores())
        self._layers = layers
        self._samples = samples
        self.expected = [self._output(inputs, set()) for inputs in samples]

    def error(self, rounded: set[str]) -> float:
        """Largest error over all samples when these layers compute in 8 bits."""
        pairs = zip(self._samples, self.expected, strict=True)
        return max(relative_error(self._output(inputs, rounded), expected) for inputs, expected in pairs)

    def _output(self, inputs: Inputs, rounded: set[str]) -> NDArray[Any]:
        switches = np.array([name in rounded for name in self._layers])
        return self._run(**inputs, **{_SWITCHES: switches})


def _fold(model: onnx.ModelProto) -> None:
    """Make plain float32 matrices of weights that are stored in 16 bits and cast, or transposed, at load."""
    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    nodes: list[NodeProto] = []
    for node in model.graph.node:
        attributes = {one.name: helper.get_attribute_value(one) for one in node.attribute}
        source = tensors.get(node.input[0]) if node.input else None
        if source is not None and node.op_type == "Cast" and attributes["to"] == TensorProto.FLOAT:
            value = numpy_helper.to_array(source).astype(np.float32)
        elif source is not None and node.op_type == "Transpose":
            value = np.ascontiguousarray(numpy_helper.to_array(source).transpose(attributes.get("perm")))
        else:
            nodes.append(node)
            continue
        tensors[node.output[0]] = numpy_helper.from_array(value, node.output[0])
    used = {name for node in nodes for name in node.input}
    kept = [tensor for name, tensor in tensors.items() if name in used]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)
    _set_nodes(model, nodes)


def _products(model: onnx.ModelProto) -> dict[str, int]:
    """Products with a constant matrix by name, and the elements of it, in the order of the graph."""
    sizes = {tensor.name: int(np.prod(tensor.dims)) for tensor in model.graph.initializer if len(tensor.dims) == 2}
    found = {node.name: sizes.get(node.input[1], 0) for node in model.graph.node if node.op_type == "MatMul"}
    return {name: size for name, size in found.items() if size >= _SMALLEST}


def _set_nodes(model: onnx.ModelProto, nodes: Sequence[NodeProto]) -> None:
    # Deleting what a container holds empties messages that are still referred to.
    copies = [NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del model.graph.node[:]
    model.graph.node.extend(copies)


def _fewest(holds: Callable[[int], bool], most: int) -> int:
    """The smallest number up to `most` for which `holds`, where it holds for all above it and for `most`."""
    low, high = 0, most
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle + 1, high)
    return low


def _write(model: onnx.ModelProto, layers: Sequence[str], out: Path) -> None:
    if not layers:
        onnx.save(model, out)
        return
    _quantize(model, layers, out)
    written = onnx.load(out)
    halve_weights(written)
    del written.metadata_props[:]
    onnx.checker.check_model(written)
    onnx.save(written, out)


def _quantize(model: onnx.ModelProto, layers: Sequence[str], out: Path) -> None:
    # The preparation that the mark vouches for is that shapes are inferred, which quantize_dynamic does itself.
    add_pre_process_metadata(model)
    quantize_dynamic(
        model,
        out,
        op_types_to_quantize=["MatMul"],
        per_channel=True,
        weight_type=QuantType.QInt8,
        nodes_to_quantize=list(layers),
        use_external_data_format=model.ByteSize() > _INLINE_BYTES,
    )
