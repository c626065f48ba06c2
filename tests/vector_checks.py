"""Every file of test vectors against this implementation: `python -m tests.vector_checks [FOLDER]`.

The folder is laid out as `tests/vectors` (see its README); sizes and seeds may be others. The table that is printed has
the largest error of each tensor; the exit status is 1 if one is over its tolerance.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from safetensors.torch import load_file
from torch import Tensor, nn

from unison_engine.audio import rms_normalise
from unison_engine.prompts import cloned_speech
from unison_engine.runtime.sampler import euler, keep_reference, schedule
from unison_train.model.config import PRESETS, DiTConfig
from unison_train.model.dit import DiT, TextFusion
from unison_train.model.flow import flow_matching_loss, guided_velocity
from unison_train.model.functional import rotation, sinusoid
from unison_train.model.layers import layer_indices
from unison_train.model.official import from_official, official_names, official_shapes
from unison_train.official.bigvgan import BigVgan, BigVganConfig
from unison_train.official.mel import MEL, MelSpectrogram
from unison_train.official.vae import Vae

FOLDER = Path(__file__).parent / "vectors"
TOLERANCE = 1e-4
ROTARY_BASE = 10_000.0


@dataclass(frozen=True)
class Row:
    """The largest difference of a tensor from its vector."""

    tensor: str
    error: float
    tolerance: float = TOLERANCE

    @property
    def passed(self) -> bool:
        return self.error <= self.tolerance


def compare(name: str, ours: Tensor, theirs: Tensor, tolerance: float = TOLERANCE) -> Row:
    """Tensors of different shapes differ without bound."""
    same = ours.shape == theirs.shape
    return Row(name, (ours - theirs).abs().max().item() if same else float("inf"), tolerance)


def count(name: str, cases: list[bool]) -> Row:
    """How many of several cases are wrong; none may be."""
    return Row(f"{name}, wrong of {len(cases)}", cases.count(False), 0.0)


def backbone(path: Path) -> tuple[DiT, TextFusion]:
    """The network of `NAME_config.json` and `NAME_weights.safetensors`, beside the file `NAME_….safetensors`."""
    name = path.stem.rpartition("_")[0]
    sizes = json.loads((path.parent / f"{name}_config.json").read_text())["config"]
    config = DiTConfig(
        latent_channels=sizes["out_channels"],
        width=sizes["hidden_size"],
        heads=sizes["heads_num"],
        depth=sizes["mm_double_blocks_depth"],
        rotary=sizes["rope_dim_list"][0],
        text_width=sizes["omni_dim"],
        mlp_ratio=int(sizes["mlp_width_ratio"]),
        rotary_base=sizes["rope_theta"],
    )
    dit, fusion = DiT(config), TextFusion(config)
    state, _ = from_official(load_file(path.parent / f"{name}_weights.safetensors"), config)
    nn.ModuleDict({"dit": dit, "fusion": fusion}).load_state_dict(state)
    return dit, fusion


def states(vectors: dict[str, Tensor]) -> Tensor:
    """Language-model states of all blocks, [depth, B, S, width]."""
    depth = sum(name.startswith("omni_emb.") for name in vectors)
    return torch.stack([vectors[f"omni_emb.{k}"] for k in range(depth)])


@torch.no_grad()
def check_forward(path: Path) -> Iterator[Row]:
    """Every stage of one evaluation of the network."""
    dit, fusion = backbone(path)
    vectors = load_file(path)
    hidden: list[Tensor] = []
    for module in (dit.patch, *dit.blocks):
        module.register_forward_hook(lambda module, inputs, output: hidden.append(output))
    channels = dit.config.latent_channels
    noisy, source, mask = vectors["x"].split([channels, channels, 1], dim=1)
    out = dit(noisy, source, mask, vectors["t"], fusion(states(vectors)), vectors["omni_mask"])
    cosine, sine = rotation(torch.arange(out.shape[2]), dit.config.rotary, dit.config.head_width, ROTARY_BASE)
    yield compare("time_sinusoid", sinusoid(vectors["t"]), vectors["time_sinusoid"], 1e-6)
    yield compare("rope_cos", cosine.repeat_interleave(2, dim=1), vectors["rope_cos"], 1e-6)
    yield compare("rope_sin", sine.repeat_interleave(2, dim=1), vectors["rope_sin"], 1e-6)
    yield compare("time_vec", dit.modulation.vector(vectors["t"]), vectors["time_vec"])
    yield compare("patch_embed", hidden[0], vectors["patch_embed"])
    for block, state in enumerate(hidden[1:]):
        yield compare(f"hidden.double_{block}", state[:, 0], vectors[f"hidden.double_{block}"])
    yield compare("out", out, vectors["out"])


@torch.no_grad()
def check_sampling(path: Path) -> Iterator[Row]:
    """Whole trajectories, guided and not, with and without a reference that is held."""
    dit, fusion = backbone(path)
    vectors = load_file(path)
    noise = vectors["noise"]
    text, text_mask = fusion(states(vectors)), vectors["omni_mask"]
    for run, settings in json.loads(path.with_suffix(".json").read_text()).items():
        source, mask = torch.zeros_like(noise), torch.zeros_like(noise[:, :1])
        if run.startswith("edit"):
            source, mask = vectors["source"], torch.ones_like(mask)
        elif run.startswith("zs"):
            source, mask = vectors["zs.source_masked"], vectors["zs.mask"]
        times = schedule(settings["steps"])
        network = guided_velocity(dit, source, mask, text, text_mask, None, settings["cfg"], times[:-1].tolist())
        held = keep_reference(source, noise, (mask == 2).float()) if "inpaint" in run else None
        velocities: list[Tensor] = []
        trajectory = [noise]

        def velocity(state: Tensor, time: float, network: Any = network, seen: Any = velocities) -> Tensor:
            seen.append(network(state, time))
            return seen[-1]  # type: ignore[no-any-return]

        def after(state: Tensor, time: float, held: Any = held, seen: Any = trajectory) -> Tensor:
            seen.append(state if held is None else held(state, time))
            return seen[-1]  # type: ignore[no-any-return]

        euler(velocity, noise, settings["steps"], after=after)
        yield compare(f"{run}.pred", torch.stack(velocities), vectors[f"{run}.pred"])
        yield compare(f"{run}.traj", torch.stack(trajectory), vectors[f"{run}.traj"])
        yield compare(f"{run}.sigmas", torch.from_numpy(times), vectors[f"{run}.sigmas"], 1e-6)
        yield compare(f"{run}.timesteps", torch.from_numpy(times[:-1]) * 1000, vectors[f"{run}.timesteps"], 1e-3)


def check_training(path: Path) -> Iterator[Row]:
    """The loss of one step and its gradients; norms by their relative error."""
    dit, fusion = backbone(path)
    vectors = load_file(path)
    seen: dict[str, Tensor] = {}

    def velocity(noisy: Tensor, time: Tensor) -> Tensor:
        text = fusion(states(vectors))
        seen["x_t"] = noisy
        seen["pred"] = dit(noisy, vectors["source"], vectors["mask"], time, text, vectors["omni_mask"])
        return seen["pred"]

    time = vectors["normal"].sigmoid()
    yield compare("t", time, vectors["t"], 1e-6)
    loss = flow_matching_loss(velocity, vectors["z"], vectors["eps"], time)
    loss.backward()
    for name, tensor in seen.items():
        yield compare(name, tensor, vectors[name])
    yield compare("loss", loss, vectors["loss"][0])
    parameters = {f"dit.{name}": p for name, p in dit.named_parameters()}
    parameters |= {f"fusion.{name}": p for name, p in fusion.named_parameters()}
    for official, ours in official_names(dit.config.depth).items():
        norm = vectors[f"gradnorm.{official}"].item()
        gradient = torch.zeros(()) if ours is None else parameters[ours].grad
        assert gradient is not None
        yield Row(f"gradnorm.{official}", abs(gradient.norm().item() - norm) / (norm or 1.0))
        if (full := vectors.get(f"grad.{official}")) is not None:
            yield compare(f"grad.{official}", gradient, full)


def check_tables(path: Path) -> Iterator[Row]:
    """Rotary tables of the published size, time embedding, schedules."""
    vectors = load_file(path)
    for table, name in zip(rotation(torch.arange(430), 96, 128, ROTARY_BASE), ("cos", "sin"), strict=True):
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
    """How the words of a reference and the new ones are joined."""
    cases = json.loads(path.read_text())["zero_shot_prompts"]
    right = [cloned_speech(case["ref_text"], case["target_text"]) == case["prompt"] for case in cases]
    yield count("zero_shot_prompts", right)


def check_mel(path: Path) -> Iterator[Row]:
    """The mel front end of the variant that the file is named after."""
    vectors, front = load_file(path), MelSpectrogram(MEL[path.stem.removeprefix("mel")])
    wave = vectors["waveform"]
    yield compare("hann_window", front.taper, vectors["hann_window"], 1e-6)
    yield compare("mel_basis", front.filters, vectors["mel_basis"], 1e-6)
    yield compare("mel", front(wave), vectors["mel"], 1e-5)
    yield compare("mel_of_6x_waveform", front(6 * wave), vectors["mel_of_6x_waveform"], 1e-5)
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
    "backbone/[!o]*_forward.safetensors": check_forward,
    "backbone/[!o]*_sampling.safetensors": check_sampling,
    "backbone/[!o]*_training.safetensors": check_training,
    "tables/tables.safetensors": check_tables,
    "tables/rms.safetensors": check_rms,
    "tables/layer_selection.json": check_layers,
    "tables/parameter_order.json": check_parameters,
    "tables/host_side.json": check_host,
    "mel/*.safetensors": check_mel,
    "vae/*.safetensors": check_vae,
    "bigvgan/*.safetensors": check_bigvgan,
}
"""What checks the files of a pattern; the parts of the network that no release has (`opt_…`) are not built."""


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
