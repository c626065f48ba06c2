"""Language models whose matrices are kept in 4 or 8 bits, while what is computed stays float32."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from unison_engine.machine import physical_cores
from unison_engine.runtime.session import Session
from unison_engine.runtime.text import PromptTokens
from unison_engine.runtime.weights import BLOCK
from unison_export.int8 import relative_error

Bits = Literal[4, 8]


class BlockLinear(nn.Module):
    """A linear layer for export: every block of 32 weights of an output is integers with one scale and zero point.

    It becomes the operator MatMulNBits of ONNX Runtime, which widens the weights as it multiplies; torch has no such
    product, so that only shapes come out of this module there.
    """

    bias: nn.Parameter | None

    def __init__(self, linear: nn.Linear, bits: Bits) -> None:
        super().__init__()
        self.outputs = linear.out_features
        self.attributes: dict[str, Any] = {
            "K": linear.in_features,
            "N": linear.out_features,
            "bits": bits,
            "block_size": BLOCK,
        }
        packed, scales, zeros = rounded(linear.weight.detach(), bits)
        self.packed = nn.Parameter(packed, requires_grad=False)
        self.scales = nn.Parameter(scales, requires_grad=False)
        self.zeros = nn.Parameter(zeros, requires_grad=False)
        self.bias = linear.bias

    def forward(self, x: Tensor) -> Tensor:
        """[..., inputs] -> [..., outputs]."""
        y = torch.onnx.ops.symbolic(
            "com.microsoft::MatMulNBits",
            (x, self.packed, self.scales, self.zeros),
            self.attributes,
            dtype=x.dtype,
            shape=(*x.shape[:-1], self.outputs),
            version=1,
        ).to(x.device)  # Torch holds whatever a symbolic operator gives to lie on the processor.
        return y if self.bias is None else y + self.bias


def rounded(weight: Tensor, bits: Bits) -> tuple[Tensor, Tensor, Tensor]:
    """A matrix [outputs, inputs] as MatMulNBits takes it: every weight is scale (integer - zero point), to the nearest.

    Returns:
        Integers [outputs, blocks, 4 x bits] uint8, of 4 bits the first of two in the low half of a byte; scales
        [outputs, blocks] float32; zero points [outputs, blocks] uint8, of 4 bits two in a byte likewise.
    """
    blocks = functional.pad(weight.float(), (0, -weight.shape[1] % BLOCK)).unflatten(1, (-1, BLOCK))
    top = 2**bits - 1
    # Zero is always one of the values: it is what rows are filled up with.
    low, high = blocks.amin(-1).clamp(max=0), blocks.amax(-1).clamp(min=0)
    scales = torch.where(high > low, (high - low) / top, 1.0)
    zeros = (-low / scales).round()
    integers = ((blocks / scales[..., None]).round() + zeros[..., None]).clamp(0, top)
    return _packed(integers, bits), scales, _packed(zeros, bits)


def _packed(integers: Tensor, bits: Bits) -> Tensor:
    found = integers.to(torch.uint8)
    if bits == 8:
        return found
    pairs = functional.pad(found, (0, found.shape[-1] % 2))
    return pairs[..., ::2] | pairs[..., 1::2] << 4


def with_few_bits(decoder: nn.Module, bits: Bits) -> nn.Module:
    """A copy of a language model with every linear layer a `BlockLinear`; the other weights are shared with it."""
    shared: dict[int, Any] = {id(tensor): tensor for tensor in (*decoder.parameters(), *decoder.buffers())}
    found = copy.deepcopy(decoder, shared)
    for parent in list(found.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.Linear):
                setattr(parent, name, BlockLinear(child, bits))
    return found


@torch.no_grad()
def states_error(graph: Path, reader: nn.Module, prompts: Sequence[PromptTokens]) -> float:
    """Largest relative error of the states that a text encoder gives the network, against its own in float32."""
    session = Session(graph, physical_cores())
    errors = []
    with _widened(reader):
        for tokens in prompts:
            exact: Tensor = reader(input_ids=torch.tensor([tokens.ids]))
            found = session(input_ids=np.array([tokens.ids]))
            errors.append(relative_error(found[:, -tokens.kept :], exact[:, -tokens.kept :].numpy()))
    return max(errors)


@contextlib.contextmanager
def _widened(network: nn.Module) -> Iterator[None]:
    """Let a network of lower precision compute in float32, one layer at a time, as it may not fit whole."""
    kept: dict[nn.Parameter, Tensor] = {}

    def widen(module: nn.Module, _inputs: object) -> None:
        for parameter in module.parameters(recurse=False):
            kept[parameter] = parameter.data
            parameter.data = parameter.data.float()

    def restore(module: nn.Module, _inputs: object, _output: object) -> None:
        for parameter in module.parameters(recurse=False):
            parameter.data = kept.pop(parameter)

    hooks = []
    for module in network.modules():
        if isinstance(module, nn.Embedding):
            # By far the largest matrix, of which a few rows are read.
            hooks.append(module.register_forward_hook(lambda _module, _inputs, rows: rows.float()))
        else:
            hooks += [module.register_forward_pre_hook(widen), module.register_forward_hook(restore)]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
