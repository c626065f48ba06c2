"""What the test vectors do not reach in the published audio parts."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from tests.vector_checks import bigvgan, stored_weights
from tests.vectors_io import FOLDER, close, tensors
from unison_engine.errors import ModelMissing
from unison_train.official.bigvgan import fold_weight_norm
from unison_train.official.mel import FLOOR, MEL, MelSpectrogram
from unison_train.official.vae import LIMIT, Vae


def test_only_quiet_samples_of_the_16k_variant_are_dithered() -> None:
    wave = torch.full((1, 4096), 0.5)
    wave[:, 2048:] = 0.0
    noise = torch.randn(1, 4096, generator=torch.Generator().manual_seed(1))
    front = MelSpectrogram(MEL["16k"])
    plain, dithered = front(wave), front(wave, noise)
    assert torch.equal(plain[..., :4], dithered[..., :4])
    assert (plain[..., -4:] == torch.tensor(FLOOR).log10()).all()
    assert (dithered[..., -4:] > plain[..., -4:]).any()
    close(MelSpectrogram(MEL["44k"])(wave, noise), MelSpectrogram(MEL["44k"])(wave))


def test_activations_of_the_vae_are_limited() -> None:
    vae = Vae.from_state(stored_weights(tensors("vae/vae16k_w12")))
    # A block whose last convolution is a thousand times too strong would pass thousands on.
    level: Any = vae.encoder.down[0]
    level.block[1].conv2.weight.mul_(1e4)
    assert level(1e3 * torch.randn(1, 12, 8)).abs().max() <= 4 * LIMIT


def test_a_strange_vae_is_refused_with_all_its_faults() -> None:
    state = stored_weights(tensors("vae/vae16k_w12"))
    state["stranger"] = state.pop("decoder.mid.attn_1.qkv.weight")
    state["data_mean"] = state["data_mean"][:, :7]
    with pytest.raises(ModelMissing) as caught:
        Vae.from_state(state)
    for fault in (
        "missing decoder.mid.attn_1.qkv.weight",
        "unexpected stranger",
        "data_mean is [1, 7, 1], not [1, 80, 1]",
    ):
        assert fault in str(caught.value)
    with pytest.raises(ModelMissing, match=r"no VAE of MMAudio.*conv_pre\.weight"):
        Vae.from_state({"conv_pre.weight": torch.zeros(1)})


def test_the_second_version_ends_within_full_scale() -> None:
    model = bigvgan(FOLDER / "bigvgan" / "v2_tiny.safetensors")
    model.conv_post.weight.mul_(1e4)
    assert model(torch.randn(1, 16, 14)).abs().max() == 1.0


def test_both_spellings_of_weight_normalisation_are_one() -> None:
    old = {
        "ups.0.0.weight_g": torch.rand(4, 1, 1),
        "ups.0.0.weight_v": torch.randn(4, 2, 8),
        "conv_pre.bias": torch.ones(4),
    }
    new = {
        "ups.0.0.parametrizations.weight.original0": old["ups.0.0.weight_g"],
        "ups.0.0.parametrizations.weight.original1": old["ups.0.0.weight_v"],
        "conv_pre.bias": old["conv_pre.bias"],
    }
    folded, same = fold_weight_norm(old), fold_weight_norm(new)
    assert folded.keys() == same.keys() == {"ups.0.0.weight", "conv_pre.bias"}
    assert torch.equal(folded["ups.0.0.weight"], same["ups.0.0.weight"])
    close(folded["ups.0.0.weight"].flatten(1).norm(dim=1), old["ups.0.0.weight_g"].flatten())
