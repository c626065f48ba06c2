"""The graph of Kokoro-82M, cut where the work is, so that a processor with bf16 computes it twice as fast.

The model is published with products in 8 bits. Its waveform generator is most of the work, and most of that are
convolutions, which ONNX Runtime computes in 8 bits no faster than in float32. The graph is therefore cut in three:

    front       tokens, style, speed -> frames, harmonics      ONNX Runtime, as published
    generator   frames, harmonics, style -> spectrogram        OpenVINO, in bf16 where the processor has it
    back        spectrogram -> waveform                        ONNX Runtime, as published

The oscillator stays in the front: its phase is a sum over the whole sound, which bf16 would lose.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.utils import Extractor

STYLE = "style"
FRAMES = "/decoder/decoder/decode.3/Div_4_output_0"
HARMONICS = "/decoder/decoder/generator/Concat_3_output_0"
SPECTROGRAM = "/decoder/decoder/generator/conv_post/Conv_output_0"


def cut(model: onnx.ModelProto) -> tuple[onnx.ModelProto, onnx.ModelProto, onnx.ModelProto]:
    """The three graphs of the module's docstring; the generator's products are in floats."""
    crossing = [FRAMES, HARMONICS, SPECTROGRAM]
    shape = [1, None, None]  # batch, channels, time
    del model.graph.value_info[:]
    model.graph.value_info.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in crossing)
    parts = Extractor(model)
    front = parts.extract_model([one.name for one in model.graph.input], [FRAMES, HARMONICS])
    generator = parts.extract_model([FRAMES, HARMONICS, STYLE], [SPECTROGRAM])
    back = parts.extract_model([SPECTROGRAM], [model.graph.output[0].name])
    widen(generator.graph)
    square_sines(generator.graph)
    return front, generator, back


def widen(graph: onnx.GraphProto) -> None:
    """Convolve in floats: each quantised convolution and what undoes its scale become one `Conv`.

    As published: quantise -> ConvInteger -> Add (the bias in units of the scale) -> Cast -> Mul (by the scale).
    """
    constants = {tensor.name: tensor for tensor in graph.initializer}
    maker = {output: node for node in graph.node for output in node.output}
    reader = {name: node for node in graph.node for name in node.input}
    nodes: dict[int, onnx.NodeProto] = {}
    for node in graph.node:
        if node.op_type != "ConvInteger":
            continue
        inputs = [maker[node.input[0]].input[0], f"{node.name}/weight"]
        scaled = reader[node.output[0]]
        if scaled.op_type == "Add":
            in_units = maker[scaled.input[1]]
            while in_units.op_type != "Div":
                in_units = maker[in_units.input[0]]
            inputs.append(in_units.input[0])
            scaled = reader[scaled.output[0]]
        scaled = reader[scaled.output[0]]
        (scale,) = (name for name in maker[scaled.input[1]].input if name in constants)
        levels, zero = (numpy_helper.to_array(constants[node.input[place]]) for place in (1, 3))
        weight = (levels.astype(np.float32) - zero) * numpy_helper.to_array(constants[scale])
        graph.initializer.append(numpy_helper.from_array(weight.astype(np.float32), inputs[1]))
        convolution = helper.make_node("Conv", inputs, [scaled.output[0]], node.name)
        convolution.attribute.extend(node.attribute)
        nodes[id(scaled)] = convolution
    _replace(graph, [nodes.get(id(node), node) for node in graph.node])


def square_sines(graph: onnx.GraphProto) -> None:
    """Write sin(x)^2, which the generator's activations hold, as products and sums.

    OpenVINO has no vector instructions for `Sin`, of which every activation of the generator has one. The square has
    the period pi, and over half of that to either side a polynomial of x^2 is within 4e-6 of it.
    """
    squared = np.linspace(0, (np.pi / 2) ** 2, 4001)[1:]
    fitted = np.polynomial.Chebyshev.fit(squared, np.sin(np.sqrt(squared)) ** 2 / squared, 4)
    series = fitted.convert(kind=np.polynomial.Polynomial).coef
    names = [f"squared_sine/{power}" for power in range(len(series))]
    for name, value in zip(["squared_sine/turns", "squared_sine/pi", *names], [1 / np.pi, np.pi, *series], strict=True):
        graph.initializer.append(numpy_helper.from_array(np.array(value, np.float32), name))
    reader = {name: node for node in graph.node for name in node.input}
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        if node.op_type != "Sin":
            nodes.append(node)
            continue
        power = reader[node.output[0]]

        def apply(kind: str, *inputs: str, under: str = node.name) -> str:
            output = f"{under}/{len(nodes)}"
            nodes.append(helper.make_node(kind, inputs, [output]))
            return output

        turns = apply("Round", apply("Mul", node.input[0], "squared_sine/turns"))
        rest = apply("Sub", node.input[0], apply("Mul", turns, "squared_sine/pi"))
        square = apply("Mul", rest, rest)
        value = names[-1]
        for name in reversed(names[:-1]):
            value = apply("Add", apply("Mul", value, square), name)
        nodes.append(helper.make_node("Mul", [value, square], power.output))
        power.ClearField("output")
    _replace(graph, nodes)


def _replace(graph: onnx.GraphProto, nodes: Iterable[onnx.NodeProto]) -> None:
    """Make `nodes`, in their order, the graph's; those that nothing reads any more are left out."""
    needed = {one.name for one in graph.output}
    kept: list[onnx.NodeProto] = []
    for node in reversed(list(nodes)):
        if needed.intersection(node.output):
            needed.update(node.input)
            kept.append(onnx.NodeProto.FromString(node.SerializeToString()))
    del graph.node[:]
    graph.node.extend(reversed(kept))
