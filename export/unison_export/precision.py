"""Networks that compute their large matrix products in 16 bits and everything else in float32."""

from __future__ import annotations

from copy import deepcopy
from typing import TypeVar

import torch
from torch import Tensor, nn

from unison_train.autoencoder.model import Block as AudioBlock
from unison_train.model.blocks import Block, PatchEmbedding
from unison_train.model.dit import TextFusion

Network = TypeVar("Network", bound=nn.Module)


def narrow(network: Network, dtype: torch.dtype) -> Network:
    """A copy whose blocks, text projections and gated convolutions hold their weights and compute in `dtype`.

    Float32 stay the normalisations, rotations, modulations and their time embedding, the residual streams, the layers
    by which the backbone and the autoencoder begin and end, and what turns waves into spectra and back. So does a
    network that has none of these parts, such as the published vocoder.
    """
    copied = deepcopy(network)
    for part in copied.modules():
        if isinstance(part, PatchEmbedding):
            for convolution in (part.gate, part.value, part.outward):
                _narrow(convolution, dtype)
        elif isinstance(part, Block | AudioBlock | TextFusion):
            for layer in part.modules():
                _narrow(layer, dtype)
    return copied


def _narrow(layer: nn.Module, dtype: torch.dtype) -> None:
    if isinstance(layer, nn.Linear | nn.Conv1d):
        layer.to(dtype)
    if isinstance(layer, nn.Linear | nn.Conv1d | nn.LayerNorm):
        # TensorRT wants both sides of a product, and input and scale of a norm, in the same type.
        layer.register_forward_pre_hook(_as_weights)


def _as_weights(layer: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    weight = layer.weight
    assert isinstance(weight, Tensor)
    return tuple(value.to(weight.dtype) for value in inputs)
