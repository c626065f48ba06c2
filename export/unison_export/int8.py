"""Graphs whose large matrix products compute in 8 bits.

Two kinds of product are rounded. One with a float matrix gets int8 weights with a scale per output channel, and
activations in uint8 with a scale that is found at run time (ONNX Runtime's dynamic quantization). One whose weights are
in 4-bit blocks already keeps them and computes with activations in int8 blocks.

Layers whose rounding harms the output most, for what they would save, stay as they are. They are found on inputs that
the graph meets when the model makes sounds, so weights must be trained ones.
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
from unison_export.blocks import BLOCKWISE, compute_blocks_in_int8
from unison_export.graphs import halve_weights

Inputs = Mapping[str, NDArray[Any]]
TOLERANCE = 0.02
# Runs spent on ranking the layers, each on a few samples; whether the tolerance holds is tried on all samples.
_RANKING_RUNS = 300
_SWITCHES = "switches"
_ROUNDED = ".int8"
# Elements of the smallest weight that is worth rounding.
_SMALLEST = 4096
# Protocol buffers end at 2 GiB; what is larger keeps its weights in a file beside it.
_INLINE_BYTES = 1.8e9


@dataclass(frozen=True)
class Layer:
    """A product: its node, the error of the output when it alone computes in 8 bits, whether it was left as it is."""

    name: str
    error: float
    kept: bool


@dataclass(frozen=True)
class Quantized:
    """What became of a graph.

    Attributes:
        file: the graph that was written, if it has products.
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
        """Layers that were left as they are."""
        return [layer.name for layer in self.layers if layer.kept]


def quantize(
    graph: Path, out: Path, samples: Sequence[Inputs], tolerance: float = TOLERANCE, data: Path | None = None
) -> Quantized:
    """Write a graph with its products in 8 bits, but for those that must be left to hold the tolerance.

    Layers are left out in the order of squared error per weight until the error of the output is within `tolerance`;
    if none holds it, all are left as they are. A graph without such products is not written.

    Args:
        graph: an ONNX graph of any size with one output, weights in it or beside it.
        out: file of the new graph.
        samples: inputs to judge by; some from every part of the noise schedule, and of every task.
        tolerance: largest relative error of the output for any sample.
        data: external data that is not beside the graph, see `Bundle.external_data`; the new graph uses it as well.
    """
    model = onnx.load(graph, load_external_data=data is None)
    _fold(model)
    sizes = _products(model)
    layers = list(sizes)
    if not layers:
        return Quantized(out, (), 0.0, 0.0)
    with tempfile.TemporaryDirectory() as folder:
        judge = _Judge(model, layers, samples, Path(folder), data)
        some = np.random.default_rng(0).permutation(len(samples))[: max(1, _RANKING_RUNS // len(layers))]
        alone = {name: judge.error({name}, some.tolist()) for name in layers}
        worst_first = sorted(layers, key=lambda name: alone[name] ** 2 / sizes[name], reverse=True)
        count = _fewest(lambda left: judge.error(set(worst_first[left:])) <= tolerance, len(layers))
        expected = judge.expected
    kept = set(worst_first[:count])
    _write(_rounded(model, [name for name in layers if name not in kept]), out)
    run = Session(out, physical_cores(), data)
    errors = [relative_error(run(**inputs), wanted) for inputs, wanted in zip(samples, expected, strict=True)]
    told = tuple(Layer(name, alone[name], name in kept) for name in layers)
    return Quantized(out, told, max(errors), float(np.median(errors)))


def round_all(graph: Path, out: Path) -> None:
    """Write a graph with all its products in 8 bits, unjudged: for measuring speed with weights that mean nothing."""
    model = onnx.load(graph)
    _fold(model)
    _write(_rounded(model, list(_products(model))), out)


def relative_error(found: NDArray[Any], expected: NDArray[Any]) -> float:
    """Root mean square of the difference over that of what is expected."""
    difference = found.astype(np.float64) - expected
    return float(np.sqrt(np.square(difference).mean() / (np.square(expected, dtype=np.float64).mean() + 1e-30)))


class _Judge:
    """One session that computes every layer in both ways and switches between them, so that none is made anew."""

    def __init__(
        self, model: onnx.ModelProto, layers: Sequence[str], samples: Sequence[Inputs], folder: Path, data: Path | None
    ) -> None:
        file = folder / "both.onnx"
        _write(_rounded(model, layers, switched=True), file)
        self._run = Session(file, physical_cores(), data)
        self._layers = layers
        self._samples = samples
        self.expected = [self._output(inputs, set()) for inputs in samples]

    def error(self, rounded: set[str], some: Sequence[int] | None = None) -> float:
        """Largest error when these layers compute in 8 bits, over all samples or those of these numbers."""
        chosen = range(len(self._samples)) if some is None else some
        return max(
            relative_error(self._output(self._samples[number], rounded), self.expected[number]) for number in chosen
        )

    def _output(self, inputs: Inputs, rounded: set[str]) -> NDArray[Any]:
        switches = np.array([name in rounded for name in self._layers])
        return self._run(**inputs, **{_SWITCHES: switches})


def _rounded(model: onnx.ModelProto, layers: Sequence[str], switched: bool = False) -> onnx.ModelProto:
    """A copy in which these layers are marked to be rounded; `switched` lets an input choose layer by layer."""
    copied = onnx.ModelProto()
    copied.CopyFrom(model)
    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    nodes: list[NodeProto] = []
    for node in copied.graph.node:
        if node.name not in layers:
            nodes.append(node)
            continue
        output = node.output[0]
        twin = NodeProto.FromString(node.SerializeToString())
        twin.name = f"{node.name}{_ROUNDED}"
        nodes.append(twin)
        if switched:
            if node.op_type == "MatMul":
                # Of a weight that is shared, the quantizer would let both see the rounded values.
                twin.input[1] = f"{node.name}.weight"
                copied.graph.initializer.add().CopyFrom(tensors[node.input[1]])
                copied.graph.initializer[-1].name = twin.input[1]
            node.output[0], twin.output[0] = f"{output}.exact", f"{output}{_ROUNDED}"
            number = numpy_helper.from_array(np.array(layers.index(node.name), np.int64), f"{output}.number")
            copied.graph.initializer.append(number)
            switch = helper.make_node("Gather", [_SWITCHES, number.name], [f"{output}.switch"], name=f"{output}.switch")
            either = [switch.output[0], twin.output[0], node.output[0]]
            nodes += [node, switch, helper.make_node("Where", either, [output], name=f"{output}.either")]
    _set_nodes(copied, nodes)
    if switched:
        copied.graph.input.append(helper.make_tensor_value_info(_SWITCHES, TensorProto.BOOL, [len(layers)]))
    return copied


def _write(model: onnx.ModelProto, out: Path) -> None:
    """Write a graph, what `_rounded` marked in 8 bits, other matrices in float16 where that is exact."""
    marked = [node for node in model.graph.node if node.name.endswith(_ROUNDED)]
    compute_blocks_in_int8(model, [node.name for node in marked if node.op_type == BLOCKWISE])
    large = sum(len(tensor.raw_data) for tensor in model.graph.initializer) > _INLINE_BYTES
    if products := [node.name for node in marked if node.op_type == "MatMul"]:
        # The preparation that the mark vouches for is that shapes are inferred, which quantize_dynamic does itself.
        add_pre_process_metadata(model)
        quantize_dynamic(
            model,
            out,
            op_types_to_quantize=["MatMul"],
            per_channel=True,
            weight_type=QuantType.QInt8,
            nodes_to_quantize=products,
            use_external_data_format=large,
        )
        if large:
            return
        model = onnx.load(out)
    halve_weights(model)
    del model.metadata_props[:]
    onnx.save(model, out, save_as_external_data=large, location=f"{out.name}.data")


def _fold(model: onnx.ModelProto) -> None:
    """Make plain float32 matrices of weights that are stored in 16 bits and cast, or transposed, at load."""
    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    nodes: list[NodeProto] = []
    for node in model.graph.node:
        node.name = node.name or node.output[0]
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
    _set_nodes(model, nodes)
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)


def _products(model: onnx.ModelProto) -> dict[str, int]:
    """Products that can be rounded, by name, and the elements of their constant matrix, in the order of the graph."""
    matrices = {tensor.name: int(np.prod(tensor.dims)) for tensor in model.graph.initializer if len(tensor.dims) == 2}
    floats = {tensor.name for tensor in model.graph.initializer if tensor.data_type == TensorProto.FLOAT}
    found: dict[str, int] = {}
    for node in model.graph.node:
        if node.op_type == "MatMul" and matrices.get(node.input[1], 0) >= _SMALLEST:
            found[node.name] = matrices[node.input[1]]
        elif node.op_type == BLOCKWISE and floats.intersection(node.input[3:4]):  # See `compute_blocks_in_int8`.
            found[node.name] = 1  # All blocks of such a graph cost about the same.
    return found


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
