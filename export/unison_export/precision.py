"""Networks that compute their large matrix products in 16 bits and everything else in float32."""

from __future__ import annotations

from copy import deepcopy

import torch
from torch import Tensor, nn

from unison_train.autoencoder.model import Block
from unison_train.checkpoint import Checkpoint


def narrow(checkpoint: Checkpoint, dtype: torch.dtype) -> Checkpoint:
    """A copy whose blocks, text projections and gated convolutions hold their weights and compute in `dtype`.

    Float32 stay the normalisations, rotations, modulations and their time embedding, the residual streams, the first
    and the last layer of every network, and the ends of the autoencoder that turn waves into spectra and back.
    """
    copied = deepcopy(checkpoint)
    patch = copied.dit.patch
    parts = [*copied.dit.blocks, patch.gate, patch.value, patch.outward, copied.fusion]
    parts += [part for part in copied.autoencoder.modules() if isinstance(part, Block)]
    for part in parts:
        for layer in part.modules():
            if isinstance(layer, nn.Linear | nn.Conv1d):
                layer.to(dtype)
            if isinstance(layer, nn.Linear | nn.Conv1d | nn.LayerNorm):
                layer.register_forward_pre_hook(_as_weights)
    return copied


def _as_weights(layer: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    weight = layer.weight
    assert isinstance(weight, Tensor)
    return tuple(value.to(weight.dtype) for value in inputs)
