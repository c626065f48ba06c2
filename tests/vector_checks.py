"""Every file of test vectors against this implementation: `python -m tests.vector_checks [FOLDER]`.

The folder is laid out as `tests/vectors` (see its README); sizes and seeds may be others. The table that is printed has
the largest error of each tensor; the exit status is 1 if one is over its tolerance.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from safetensors.torch import load_file
from torch import Tensor

from tests.backbone_checks import check_forward, check_sampling, check_training
from tests.vectors_io import FOLDER, Row, compare, count
from unison_engine.audio import Wave, crop_reference, cut_reference, rms_normalise
from unison_engine.conditioning import Mask, mask_frames
from unison_engine.prompts import cloned_speech
from unison_engine.runtime.sampler import schedule
from unison_train.model.config import PRESETS
from unison_train.model.functional import rotation, sinusoid
from unison_train.model.layers import layer_indices
from unison_train.model.official import official_shapes
from unison_train.official.bigvgan import BigVgan, BigVganConfig
from unison_train.official.mel import MEL, MelSpectrogram
from unison_train.official.vae import Vae


def check_tables(path: Path) -> Iterator[Row]:
    """Rotary tables of the published size, time embedding, schedules."""
    vectors = load_file(path)
    for table, name in zip(rotation(torch.arange(430), 96, 128, 10_000.0), ("cos", "sin"), strict=True):
        per_dimension = table.repeat_interleave(2, dim=-1)
        yield compare(f"rope_{name}", per_dimension[:64], vectors[f"rope_{name}_96_16_16_L430"], 1e-6)
        yield compare(f"rope_{name}_tail", per_dimension[-8:], vectors[f"rope_{name}_tail"], 1e-6)
    yield compare("sinusoid256", sinusoid(vectors["t"]), vectors["sinusoid256"], 1e-6)
    for name in (name for name in vectors if name.startswith("sigmas_")):
        yield compare(name, torch.from_numpy(schedule(int(name.partition("_")[2]))), vectors[name], 1e-6)


def check_rms(path: Path) -> Iterator[Row]:
    """Loudness of sources."""
    vectors = load_file(path)
    ours = torch.from_numpy(rms_normalise(vectors["waveform"][0].numpy()))
    yield compare("normalised_0.1", ours[None], vectors["normalised_0.1"], 1e-6)


def check_layers(path: Path) -> Iterator[Row]:
    """Which layers of a language model are read."""
    cases = json.loads(path.read_text())
    right = [layer_indices(case["llm_layers"], case["dit_depth"]) == case["interval"] for case in cases]
    yield count("interval", right)


def check_parameters(path: Path) -> Iterator[Row]:
    """Names, shapes and order of the published networks."""
    listed = json.loads(path.read_text())
    for preset, name in (("d20s0-44k", "D20S0"), ("d24s0-16k", "D24S0")):
        ours = [[name, list(shape)] for name, shape in official_shapes(PRESETS[preset].network).items()]
        theirs = listed[name]["parameters"]
        yield count(name, [one == two for one, two in zip(ours, theirs, strict=True)])


def check_host(path: Path) -> Iterator[Row]:
    """What is done to a voice reference, its words and its mask, and to the sound that begins with it."""
    tables = json.loads(path.read_text())
    cases = tables["zero_shot_prompts"]
    right = [cloned_speech(case["ref_text"], case["target_text"]) == case["prompt"] for case in cases]
    yield count("zero_shot_prompts", right)
    yield count("silence_cut", [len(_cut(case)) == case["cut"] for case in tables["silence_cut"]])
    right = []
    for case in tables["zero_shot_mask"]:
        mask = mask_frames(Mask.REFERENCE, case["latent_frames"], case["ref_samples"], case["wav_samples"])
        reference = case["ref_latent_frames"]
        right.append(bool((mask[:reference] == Mask.REFERENCE).all() and not mask[reference:].any()))
    yield count("zero_shot_mask", right)
    right = []
    for case in tables["decode_crop"]:
        wave = np.ones(case["decoded_samples"], np.float32)
        wave = crop_reference(wave, case["ref_samples"], case["vae_hop"], case["sr"])
        # The fade ends at the full level.
        right.append(len(wave) == case["decoded_samples"] - case["crop_start"])
        right.append(bool(wave[0] == 0) and np.count_nonzero(wave < 1) == case["fade_samples"] - 1)
    yield count("decode_crop", right)
    right = []
    for case in tables["frame_counts"]:
        [front] = [MelSpectrogram(config) for config in MEL.values() if config.sample_rate == case["sr"]]
        right.append(front(torch.zeros(1, case["samples"])).shape[2] == case["mel_frames"])
    yield count("mel_frames", right)


def _cut(case: dict[str, Any]) -> Wave:
    """The reference of a case, cut: a tone with gaps of near silence."""
    rate = case["sr"]
    wave = 0.3 * np.sin(2 * np.pi * 180 * np.arange(case["samples"]) / rate)
    for start, end in case["gaps"]:
        wave[start:end] *= 1e-4
    search = case["args"].get("search_back_s", 0.5)
    return cut_reference(wave.astype(np.float32), rate, case["target_len"] / rate, search)


def check_mel(path: Path) -> Iterator[Row]:
    """The mel front end of the variant that the file is named after."""
    vectors, front = load_file(path), MelSpectrogram(MEL[path.stem.removeprefix("mel")])
    wave = vectors["waveform"]
    yield compare("hann_window", front.taper, vectors["hann_window"], 1e-6)
    yield compare("mel_basis", front.filters, vectors["mel_basis"], 1e-6)
    # The logarithm of a faint band shows how a processor rounds its sums: 1.1e-5 was seen on a Xeon.
    yield compare("mel", front(wave), vectors["mel"], 3e-5)
    yield compare("mel_of_6x_waveform", front(6 * wave), vectors["mel_of_6x_waveform"], 3e-5)
    silence = torch.zeros(1, round(0.2 * front.config.sample_rate))
    yield compare("mel_of_0.2s_zeros", front(silence), vectors["mel_of_0.2s_zeros_no_dither"], 1e-5)


def stored_weights(vectors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The state dict among vectors."""
    return {name[2:]: tensor for name, tensor in vectors.items() if name.startswith("w.")}


def check_vae(path: Path) -> Iterator[Row]:
    """Encoder and decoder of an MMAudio VAE, and how its weights are folded."""
    vectors = load_file(path)
    vae = Vae.from_state(stored_weights(vectors))
    mean, log_variance = vae.posterior(vectors["mel"])
    folded = "folded.encoder.conv_in.weight"
    yield compare(folded, vae.encoder.conv_in.weight, vectors[folded])
    yield compare("latent_mean", mean, vectors["latent_mean"])
    yield compare("latent_logvar_clamped", log_variance, vectors["latent_logvar_clamped"])
    yield compare("recon_mel", vae.decode(vectors["latent_mean"]), vectors["recon_mel"])
    normalised = "decoded_random_normalised"
    yield compare(normalised, vae.decoder(vectors["random_latent"]), vectors[normalised])
    yield compare("decoded_random", vae.decode(vectors["random_latent"]), vectors["decoded_random"])


def bigvgan(path: Path) -> BigVgan:
    """The generator of `NAME.safetensors`, whose sizes are in `NAME_config.json`."""
    sizes = json.loads(path.with_name(f"{path.stem}_config.json").read_text())
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
    return BigVgan.from_state(stored_weights(load_file(path)), config)


def check_bigvgan(path: Path) -> Iterator[Row]:
    """A vocoder, its filters, its folded weights and one of its activations."""
    vectors, model = load_file(path), bigvgan(path)
    for name in (name for name in vectors if name.startswith("folded.")):
        part = name.removeprefix("folded.")
        ours = model.activation_post.taps if part.endswith("filter") else model.state_dict()[part]
        yield compare(name, ours, vectors[name])
    yield compare("act_upsampled", model.activation_post.upsample(vectors["act_in"]), vectors["act_upsampled"])
    yield compare("act_out", model.activation_post(vectors["act_in"]), vectors["act_out"])
    yield compare("wave", model(vectors["mel"])[:, None], vectors["wave"])


Check = Callable[[Path], Iterator[Row]]
CHECKS: dict[str, Check] = {
    "backbone/*_forward.safetensors": check_forward,
    "backbone/*_sampling.safetensors": check_sampling,
    "backbone/*_training.safetensors": check_training,
    "tables/tables.safetensors": check_tables,
    "tables/rms.safetensors": check_rms,
    "tables/layer_selection.json": check_layers,
    "tables/parameter_order.json": check_parameters,
    "tables/host_side.json": check_host,
    "mel/*.safetensors": check_mel,
    "vae/*.safetensors": check_vae,
    "bigvgan/*.safetensors": check_bigvgan,
}
"""What checks the files of a pattern."""


def files(folder: Path) -> list[tuple[Path, Check]]:
    """Files to check, each with its check."""
    return [(path, check) for pattern, check in CHECKS.items() for path in sorted(folder.glob(pattern))]


def main() -> None:
    """Print the table; the exit status tells whether all is within tolerance."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    found = files(folder)
    if not found:
        sys.exit(f"{folder} holds no test vectors; it should be laid out as {FOLDER}.")
    table = Table("file", "tensor", "error", "tolerance", "")
    failed = 0
    for path, check in found:
        for row in check(path):
            failed += not row.passed
            verdict = "ok" if row.passed else "OUT"
            table.add_row(
                str(path.relative_to(folder)), row.tensor, f"{row.error:.1e}", f"{row.tolerance:.0e}", verdict
            )
    Console(width=140).print(table)
    print(f"{failed} of {table.row_count} out of tolerance")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
