"""The published audio parts against vectors of the official code; see `tests/vectors/README.md`."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from tests.vectors_io import close, table, tensors
from unison_engine.errors import ModelMissing
from unison_train.official.bigvgan import BigVgan, BigVganConfig, fold_weight_norm
from unison_train.official.mel import FLOOR, MEL, MelSpectrogram
from unison_train.official.vae import LIMIT, Vae


@pytest.mark.parametrize("variant", MEL)
def test_mel(variant: str) -> None:
    vectors = tensors(f"mel/mel{variant}")
    front = MelSpectrogram(MEL[variant])
    close(front.filters, vectors["mel_basis"], 1e-6)
    wave = vectors["waveform"]
    close(front(wave), vectors["mel"], 1e-5)
    close(front(6 * wave), vectors["mel_of_6x_waveform"], 1e-5)
    silence = torch.zeros(1, round(0.2 * MEL[variant].sample_rate))
    close(front(silence), vectors["mel_of_0.2s_zeros_no_dither"], 1e-5)


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


@pytest.mark.parametrize("variant", ["16k", "44k"])
def test_vae(variant: str) -> None:
    vectors = tensors(f"vae/vae{variant}_w12")
    vae = Vae.from_state({name[2:]: tensor for name, tensor in vectors.items() if name.startswith("w.")})
    close(vae.encoder.conv_in.weight, vectors["folded.encoder.conv_in.weight"])
    mean, log_variance = vae.posterior(vectors["mel"])
    close(mean, vectors["latent_mean"])
    close(log_variance, vectors["latent_logvar_clamped"])
    close(vae.decode(vectors["latent_mean"]), vectors["recon_mel"])
    close(vae.decoder(vectors["random_latent"]), vectors["decoded_random_normalised"])
    close(vae.decode(vectors["random_latent"]), vectors["decoded_random"])


def test_activations_of_the_vae_are_limited() -> None:
    vectors = tensors("vae/vae16k_w12")
    vae = Vae.from_state({name[2:]: tensor for name, tensor in vectors.items() if name.startswith("w.")})
    # A block whose last convolution is a thousand times too strong would pass thousands on.
    level: Any = vae.encoder.down[0]
    level.block[1].conv2.weight.mul_(1e4)
    assert level(1e3 * torch.randn(1, 12, 8)).abs().max() <= 4 * LIMIT


def test_a_strange_vae_is_refused_with_all_its_faults() -> None:
    state = {name[2:]: tensor for name, tensor in tensors("vae/vae16k_w12").items() if name.startswith("w.")}
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


def generator(name: str) -> BigVgan:
    sizes = table(f"bigvgan/{name}_config")
    config = BigVganConfig(
        mels=sizes["num_mels"],
        rates=tuple(sizes["upsample_rates"]),
        kernels=tuple(sizes["upsample_kernel_sizes"]),
        width=sizes["upsample_initial_channel"],
        stack_kernels=tuple(sizes["resblock_kernel_sizes"]),
        dilations=tuple(sizes["resblock_dilation_sizes"][0]),
        tanh=sizes.get("use_tanh_at_final", True),
        final_bias=sizes.get("use_bias_at_final", True),
    )
    state = {key[2:]: tensor for key, tensor in tensors(f"bigvgan/{name}").items() if key.startswith("w.")}
    return BigVgan.from_state(state, config)


@pytest.mark.parametrize("name", ["v1_tiny", "v2_tiny"])
def test_bigvgan(name: str) -> None:
    vectors, model = tensors(f"bigvgan/{name}"), generator(name)
    close(model.activation_post.taps, vectors["folded.activation_post.upsample.filter"], 1e-6)
    for part in ("conv_pre", "conv_post", "ups.0.0"):
        close(model.state_dict()[f"{part}.weight"], vectors[f"folded.{part}.weight"])
    close(model.activation_post.upsample(vectors["act_in"]), vectors["act_upsampled"])
    close(model.activation_post(vectors["act_in"]), vectors["act_out"])
    close(model(vectors["mel"])[:, None], vectors["wave"])


def test_the_second_version_ends_within_full_scale() -> None:
    model = generator("v2_tiny")
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
