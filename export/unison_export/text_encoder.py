"""The language model as an ONNX graph whose weights stay in its GGUF file.

The graph's external data is not written here: the bundle ships a recipe (`unison_engine.runtime.weights`) by which the
engine assembles it from the GGUF file at first use. 4-bit blocks of the file (Q4_1: w = d q + m) are exactly those of
ONNX Runtime's MatMulNBits (w = scale (q - zero), zero = -m / d), so nothing is rounded a second time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from gguf import GGUFReader
from numpy.typing import NDArray
from onnx import TensorProto, helper

from unison_engine.errors import ModelMissing
from unison_engine.runtime.weights import BLOCK, Piece, PieceKind, piece_bytes
from unison_train.model.layers import layer_indices

DATA = "text_encoder.data"
_KINDS: dict[str, PieceKind] = {"F32": "f32", "Q4_1": "q4_1", "Q8_0": "q8_0"}


@dataclass(frozen=True)
class TextEncoderGraph:
    """The graph, the recipe of its weights in the order of the data file, and the states' width."""

    model: onnx.ModelProto
    pieces: list[Piece]
    width: int


def build_text_encoder(gguf: Path, depth: int, max_tokens: int) -> TextEncoderGraph:
    """Graph `text_encoder`: input_ids int64 [1, n] -> states float32 [depth, n, width], n up to `max_tokens`.

    State k is the residual stream after the layer that `layer_indices` gives block k (the last one after the final
    norm), each token's vector divided by its RMS. Llama architecture with Q4_1, Q8_0 and F32 tensors.

    Raises:
        ModelMissing: the file is of another architecture or holds another tensor type.
    """
    builder = _Builder(gguf, max_tokens)
    return builder.build(layer_indices(builder.layers, depth))


class _Builder:
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

    def build(self, layers: Sequence[int]) -> TextEncoderGraph:
        half = self.width // self.heads // 2
        angles = np.outer(np.arange(self.max_tokens), self.base ** (-np.arange(half) / half))
        self.constant("cosines", np.cos(angles).astype(np.float32))
        self.constant("sines", np.sin(angles).astype(np.float32))
        self.constant("zero", np.array(0, np.int64))
        self.constant("one", np.array(1, np.int64))
        self.constant("front", np.array([0], np.int64))
        shape = self.node("Shape", ["input_ids"])
        length = self.node("Gather", [shape, "one"])
        self.positions = self.node("Unsqueeze", [self.node("Range", ["zero", length, "one"]), "front"])
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
        attended = self.node(
            "Attention",
            [self.rotate(query, self.heads), self.rotate(key, self.key_heads), value],
            is_causal=1,
            q_num_heads=self.heads,
            kv_num_heads=self.key_heads,
        )
        x = self.node("Add", [x, self.linear(attended, f"{name}.attn_output.weight")])
        normed = self.norm(x, self.weight(f"{name}.ffn_norm.weight"))
        gate, up = (self.linear(normed, f"{name}.ffn_{part}.weight") for part in ("gate", "up"))
        swish = self.node("Mul", [gate, self.node("Sigmoid", [gate])])
        return self.node("Add", [x, self.linear(self.node("Mul", [swish, up]), f"{name}.ffn_down.weight")])

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
