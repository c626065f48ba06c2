"""The language model as an ONNX graph whose weights stay in its GGUF file.

The graph's external data is not written here: the bundle ships a recipe (`unison_engine.runtime.weights`) by which the
engine assembles it from the GGUF file at first use. 4-bit blocks of the file (Q4_1: w = d q + m) are exactly those of
ONNX Runtime's MatMulNBits (w = scale (q - zero), zero = -m / d), so nothing is rounded a second time.

Every prompt begins with the same tokens, those of the system turn. As no token sees what follows it, their keys and
values are the same in every prompt, and constants of the graph.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from gguf import GGUFReader
from numpy.typing import NDArray
from onnx import TensorProto, helper

from unison_engine.errors import ModelMissing
from unison_engine.runtime.weights import BLOCK, Piece, PieceKind, convert, piece_bytes
from unison_train.model.layers import layer_indices

DATA = "text_encoder.data"
_KINDS: dict[str, PieceKind] = {"F32": "f32", "Q4_1": "q4_1", "Q8_0": "q8_0"}


@dataclass(frozen=True)
class TextEncoderGraph:
    """The graph, the recipe of its weights in the order of the data file, and the states' width."""

    model: onnx.ModelProto
    pieces: list[Piece]
    width: int


def build_text_encoder(gguf: Path, depth: int, max_tokens: int, opening: Sequence[int] = ()) -> TextEncoderGraph:
    """Graph `text_encoder`: input_ids int64 [1, n] -> states float32 [depth, n, width].

    State k is the residual stream after the layer that `layer_indices` gives block k (the last one after the final
    norm), each token's vector divided by its RMS. Llama architecture with Q4_1, Q8_0 and F32 tensors. The tokens of the
    `opening` stand before the n that are given, without being computed again; together they are up to `max_tokens`.

    Raises:
        ModelMissing: the file is of another architecture or holds another tensor type.
    """
    builder = _Builder(gguf, max_tokens)
    layers = layer_indices(builder.layers, depth)
    if opening:
        builder.remembered = _keys_and_values(gguf, layers, opening)
    return builder.build(layers)


def _keys_and_values(gguf: Path, layers: Sequence[int], opening: Sequence[int]) -> dict[str, NDArray[np.float32]]:
    """Keys, rotated, and values of these tokens in every layer that is needed: [1, tokens, key heads x width]."""
    builder = _Builder(gguf, len(opening))
    built = builder.build(layers)
    found = [onnx.ValueInfoProto(name=name) for name in builder.attended.values()]
    built.model.graph.output.extend(found)
    source = np.fromfile(gguf, dtype=np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        with (Path(folder) / DATA).open("wb") as data:
            for piece in built.pieces:
                data.writelines(convert(source, piece))
        onnx.save(built.model, Path(folder) / "opening.onnx")
        session = onnxruntime.InferenceSession(Path(folder) / "opening.onnx", providers=["CPUExecutionProvider"])
        values = session.run([*builder.attended.values()], {"input_ids": np.array([opening], np.int64)})
    return dict(zip(builder.attended, values, strict=True))


class _Builder:
    """Writes the graph node by node.

    Attributes:
        remembered: keys and values of the tokens that stand before those that are given, by layer and part.
        attended: names of the keys and values that are computed, likewise.
    """

    def __init__(self, gguf: Path, max_tokens: int) -> None:
        reader = GGUFReader(gguf)
        architecture = reader.fields["general.architecture"].contents()
        if architecture != "llama":
            raise ModelMissing(f"{gguf} is a {architecture!r} model; this exporter knows 'llama'.")

        def number(key: str) -> Any:
            return reader.fields[f"llama.{key}"].contents()

        self.tensors = {tensor.name: tensor for tensor in reader.tensors}
        self.width = int(number("embedding_length"))
        self.heads = int(number("attention.head_count"))
        self.key_heads = int(number("attention.head_count_kv"))
        self.epsilon = float(number("attention.layer_norm_rms_epsilon"))
        self.base = float(number("rope.freq_base"))
        self.layers = int(number("block_count"))
        self.max_tokens = max_tokens
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[TensorProto] = []
        self.pieces: list[Piece] = []
        self.size = 0
        self.remembered: dict[str, NDArray[np.float32]] = {}
        self.attended: dict[str, str] = {}

    def build(self, layers: Sequence[int]) -> TextEncoderGraph:
        half = self.width // self.heads // 2
        angles = np.outer(np.arange(self.max_tokens), self.base ** (-np.arange(half) / half))
        self.constant("cosines", np.cos(angles).astype(np.float32))
        self.constant("sines", np.sin(angles).astype(np.float32))
        self.constant("zero", np.array(0, np.int64))
        self.constant("one", np.array(1, np.int64))
        self.constant("front", np.array([0], np.int64))
        before = next((value.shape[1] for value in self.remembered.values()), 0)
        self.constant("before", np.array(before, np.int64))
        given = self.node("Gather", [self.node("Shape", ["input_ids"]), "one"])
        end = self.node("Add", [given, "before"])
        positions = self.node("Range", ["before", end, "one"])
        self.positions = self.node("Unsqueeze", [positions, "front"])
        # A token sees those before it and itself: [given, before + given].
        self.seen = self.node(
            "LessOrEqual", [self.node("Range", ["zero", end, "one"]), self.node("Unsqueeze", [positions, "one"])]
        )
        x = self.embedding()
        found = []
        for layer in range(1, max(layers) + 1):
            x = self.layer(x, f"blk.{layer - 1}")
            if layer in layers:
                state = self.norm(x, self.weight("output_norm.weight")) if layer == self.layers else x
                found += [self.unit(state)] * layers.count(layer)
        self.nodes.append(helper.make_node("Concat", found, ["states"], axis=0))
        graph = helper.make_graph(
            self.nodes,
            "text_encoder",
            [helper.make_tensor_value_info("input_ids", TensorProto.INT64, [1, "n"])],
            [helper.make_tensor_value_info("states", TensorProto.FLOAT, [len(layers), "n", self.width])],
            self.initializers,
        )
        opsets = [helper.make_opsetid("", 23), helper.make_opsetid("com.microsoft", 1)]
        return TextEncoderGraph(helper.make_model(graph, opset_imports=opsets, ir_version=11), self.pieces, self.width)

    def layer(self, x: str, name: str) -> str:
        normed = self.norm(x, self.weight(f"{name}.attn_norm.weight"))
        query, key, value = (self.linear(normed, f"{name}.attn_{part}.weight") for part in ("q", "k", "v"))
        keys = self.after_opening(self.rotate(key, self.key_heads), f"{name}.keys")
        values = self.after_opening(value, f"{name}.values")
        attended = self.node(
            "Attention",
            [self.rotate(query, self.heads), keys, values, self.seen],
            q_num_heads=self.heads,
            kv_num_heads=self.key_heads,
        )
        x = self.node("Add", [x, self.linear(attended, f"{name}.attn_output.weight")])
        normed = self.norm(x, self.weight(f"{name}.ffn_norm.weight"))
        gate, up = (self.linear(normed, f"{name}.ffn_{part}.weight") for part in ("gate", "up"))
        swish = self.node("Mul", [gate, self.node("Sigmoid", [gate])])
        return self.node("Add", [x, self.linear(self.node("Mul", [swish, up]), f"{name}.ffn_down.weight")])

    def after_opening(self, x: str, part: str) -> str:
        self.attended[part] = x
        if part not in self.remembered:
            return x
        self.constant(part, self.remembered[part])
        return self.node("Concat", [part, x], axis=1)

    def rotate(self, x: str, heads: int) -> str:
        # A GGUF file keeps queries and keys permuted for rotation of adjacent pairs.
        inputs = [x, "cosines", "sines", self.positions]
        return self.node("RotaryEmbedding", inputs, interleaved=1, num_heads=heads)

    def embedding(self) -> str:
        rows, scales = self.external("token_embd.weight", "q8_0")
        self.constant("blocks", np.array([1, -1, self.width // BLOCK, BLOCK], np.int64))
        self.constant("whole", np.array([1, -1, self.width], np.int64))
        self.constant("last", np.array([-1], np.int64))
        values = self.node("Cast", [self.node("Gather", [rows, "input_ids"])], to=TensorProto.FLOAT)
        factors = self.node("Cast", [self.node("Gather", [scales, "input_ids"])], to=TensorProto.FLOAT)
        scaled = self.node("Mul", [self.node("Reshape", [values, "blocks"]), self.node("Unsqueeze", [factors, "last"])])
        return self.node("Reshape", [scaled, "whole"])

    def linear(self, x: str, tensor: str) -> str:
        inner, outer = (int(size) for size in self.tensors[tensor].shape)
        inputs = [x, *self.external(tensor, "q4_1")]
        return self.node("MatMulNBits", inputs, domain="com.microsoft", K=inner, N=outer, bits=4, block_size=BLOCK)

    def norm(self, x: str, weight: str) -> str:
        return self.node("RMSNormalization", [x, weight], epsilon=self.epsilon)

    def unit(self, x: str) -> str:
        if not any(tensor.name == "ones" for tensor in self.initializers):
            self.constant("ones", np.ones(self.width, np.float32))
        return self.node("RMSNormalization", [x, "ones"], epsilon=1e-6)

    def weight(self, tensor: str) -> str:
        return self.external(tensor, "f32")[0]

    def external(self, name: str, kind: PieceKind) -> list[str]:
        """Initialisers of a tensor of the file, in the order `unison_engine.runtime.weights` writes them."""
        tensor = self.tensors[name]
        if _KINDS.get(tensor.tensor_type.name) != kind:
            raise ModelMissing(f"{name} is stored as {tensor.tensor_type.name}; this exporter expects {kind.upper()}.")
        elements = int(tensor.n_elements)
        inner = int(tensor.shape[0])
        outer, blocks = elements // inner, inner // BLOCK
        parts: list[tuple[str, int, list[int]]]
        if kind == "q4_1":
            parts = [
                ("nibbles", TensorProto.UINT8, [outer, blocks, BLOCK // 2]),
                ("scales", TensorProto.FLOAT, [outer * blocks]),
                ("zeros", TensorProto.FLOAT, [outer * blocks]),
            ]
        elif kind == "q8_0":
            parts = [("rows", TensorProto.INT8, [outer, inner]), ("scales", TensorProto.FLOAT16, [outer, blocks])]
        else:
            parts = [("", TensorProto.FLOAT, [elements])]
        lengths = piece_bytes(kind, elements)
        names = []
        for (part, dtype, shape), length in zip(parts, lengths, strict=True):
            stored = TensorProto(
                name=f"{name}.{part}".rstrip("."), data_type=dtype, dims=shape, data_location=TensorProto.EXTERNAL
            )
            for key, value in (("location", DATA), ("offset", str(self.size)), ("length", str(length))):
                stored.external_data.add(key=key, value=value)
            self.initializers.append(stored)
            self.size += length
            names.append(stored.name)
        self.pieces.append(Piece(kind=kind, offset=int(tensor.data_offset), elements=elements))
        return names

    def constant(self, name: str, value: NDArray[Any]) -> None:
        self.initializers.append(onnx.numpy_helper.from_array(value, name))

    def node(self, kind: str, inputs: list[str], domain: str = "", **attributes: Any) -> str:
        output = f"{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [output], domain=domain, **attributes))
        return output
