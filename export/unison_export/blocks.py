"""Products whose weights are in 4-bit blocks (MatMulNBits), computed with activations in int8.

ONNX Runtime has fast kernels for that, but for weights without zero points or with whole ones. Those of a GGUF file in
Q4_1, w = d q + m with float m, are neither. Written as w = d (q - 8) + (8 d + m), the first term is what the fast
kernel takes, and the second is the same for all weights of a block: the product with it is one with the sums of the
activations of each block, a 32nd of the work, in float32. Nothing is rounded but activations.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, helper, numpy_helper

BLOCKWISE = "MatMulNBits"
_INT8_ACTIVATIONS = 4
"""The operator's `accuracy_level` that lets it round activations to int8."""


def compute_blocks_in_int8(model: onnx.ModelProto, layers: Collection[str]) -> None:
    """Rewrite the products of these names, which have float zero points, in place."""
    nodes: list[NodeProto] = []
    sums: dict[tuple[str, int], str] = {}
    for node in model.graph.node:
        if node.name in layers:
            nodes += _sums(model, node, sums) + _split(model, node, sums)
        else:
            nodes.append(node)
    copies = [NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del model.graph.node[:]
    model.graph.node.extend(copies)


def _sums(model: onnx.ModelProto, node: NodeProto, sums: dict[tuple[str, int], str]) -> list[NodeProto]:
    """Nodes that sum the activations of each block, [..., K] -> [..., K / size], unless another layer has them."""
    activations, size = node.input[0], int(_attribute(node, "block_size"))
    if (activations, size) in sums:
        return []
    name = sums[activations, size] = f"{activations}.sums{size}"
    _constant(model, f"{name}.shape", np.array([0, 0, -1, size], np.int64))
    _constant(model, f"{name}.axis", np.array([-1], np.int64))
    blocks = f"{name}.blocks"
    return [
        helper.make_node("Reshape", [activations, f"{name}.shape"], [blocks], name=blocks),
        helper.make_node("ReduceSum", [blocks, f"{name}.axis"], [name], name=name, keepdims=0),
    ]


def _split(model: onnx.ModelProto, node: NodeProto, sums: dict[tuple[str, int], str]) -> list[NodeProto]:
    """Nodes that compute both terms; runtimes fold what is constant in the second, (8 - zero) scale = 8 d + m."""
    activations, weights, scales, zeros = node.input
    inner, outer, size = (int(_attribute(node, name)) for name in ("K", "N", "block_size"))
    name, output = node.name, node.output[0]
    _constant(model, f"{name}.middle", np.array(8, np.float32))
    _constant(model, f"{name}.shape", np.array([outer, inner // size], np.int64))
    node.output[0] = f"{name}.varying"
    del node.input[:]
    node.input.extend([activations, weights, scales])
    node.attribute.append(helper.make_attribute("accuracy_level", _INT8_ACTIVATIONS))
    chain: list[tuple[str, list[str]]] = [
        ("Sub", [f"{name}.middle", zeros]),
        ("Mul", [f"{name}.Sub", scales]),
        ("Reshape", [f"{name}.Mul", f"{name}.shape"]),
        ("Transpose", [f"{name}.Reshape"]),
        ("MatMul", [sums[activations, size], f"{name}.Transpose"]),
    ]
    constant = [helper.make_node(kind, inputs, [f"{name}.{kind}"], name=f"{name}.{kind}") for kind, inputs in chain]
    both = [node.output[0], f"{name}.MatMul"]
    return [node, *constant, helper.make_node("Add", both, [output], name=f"{name}.sum")]


def _attribute(node: NodeProto, name: str) -> int:
    return next(int(one.i) for one in node.attribute if one.name == name)


def _constant(model: onnx.ModelProto, name: str, value: NDArray[Any]) -> None:
    model.graph.initializer.append(numpy_helper.from_array(value, name))
