"""The networks against the vectors of `backbone/`; see `tests/vector_checks.py`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from tests.vectors_io import Row, compare
from unison_engine.runtime.sampler import keep_reference, schedule, solve
from unison_train.model.config import DiTConfig
from unison_train.model.dit import DiT, TextFusion
from unison_train.model.flow import flow_matching_loss, guided_velocity
from unison_train.model.functional import rotation, sinusoid
from unison_train.model.official import from_official, official_names
from unison_train.model.plain import PlainNetwork


def sizes(path: Path) -> dict[str, Any]:
    """The configuration `NAME_config.json` beside a file `NAME_….safetensors`."""
    name = path.stem.rpartition("_")[0]
    found: dict[str, Any] = json.loads((path.parent / f"{name}_config.json").read_text())["config"]
    return found


def weights(path: Path) -> dict[str, Tensor]:
    """The state dict `NAME_weights.safetensors` beside a file `NAME_….safetensors`."""
    name = path.stem.rpartition("_")[0]
    return load_file(path.parent / f"{name}_weights.safetensors")


def configuration(path: Path) -> DiTConfig:
    """The sizes that every network has."""
    found = sizes(path)
    return DiTConfig(
        latent_channels=found["out_channels"],
        width=found["hidden_size"],
        heads=found["heads_num"],
        depth=found["mm_double_blocks_depth"],
        rotary=found["rope_dim_list"][0],
        text_width=found["omni_dim"],
        mlp_ratio=int(found.get("mlp_width_ratio", 4)),
        rotary_base=found.get("rope_theta", 10_000.0),
    )


def plain_backbone(path: Path) -> PlainNetwork:
    """The network as it is written down, with whatever parts the configuration asks for."""
    found = sizes(path)
    network = PlainNetwork(
        configuration(path),
        single_blocks=found["mm_single_blocks_depth"],
        patch=found.get("audio_patch_type", "conv_mlp"),
        deep_projectors=found.get("projector_type", "linear") == "mlp",
        persistent_text=found.get("use_omni_last_embedding", False),
    )
    network.load_state_dict(weights(path))
    return network


def backbone(path: Path) -> tuple[DiT, TextFusion]:
    """The network of a configuration that has the parts of a release and no others."""
    config = configuration(path)
    dit, fusion = DiT(config), TextFusion(config)
    state, _ = from_official(weights(path), config)
    nn.ModuleDict({"dit": dit, "fusion": fusion}).load_state_dict(state)
    return dit, fusion


def states(vectors: dict[str, Tensor]) -> Tensor:
    """Language-model states of all blocks, [depth, B, S, width]."""
    depth = sum(name.startswith("omni_emb.") for name in vectors)
    return torch.stack([vectors[f"omni_emb.{k}"] for k in range(depth)])


@torch.no_grad()
def check_plain(path: Path) -> Iterator[Row]:
    """Every stage of one evaluation of the network as it is written down."""
    network, vectors = plain_backbone(path), load_file(path)
    hidden: list[Tensor] = []
    stages = [network.time_in, network.img_in, *network.double_blocks, *network.single_blocks]
    for module in stages:
        # Of two streams, the first is audio.
        module.register_forward_hook(
            lambda module, inputs, output: hidden.append(output[0] if isinstance(output, tuple) else output)
        )
    out = network(vectors["x"], vectors["t"], states(vectors), vectors["omni_mask"])
    names = ["time_vec", "patch_embed", *(f"hidden.double_{block}" for block in range(len(network.double_blocks)))]
    names += [f"hidden.single_{block}" for block in range(len(network.single_blocks))]
    for name, ours in zip([*names, "out"], [*hidden, out], strict=True):
        yield compare(f"plain {name}", ours, vectors[name])


@torch.no_grad()
def check_forward(path: Path) -> Iterator[Row]:
    """Every stage of one evaluation of both networks."""
    vectors, config = load_file(path), configuration(path)
    frames = torch.arange(vectors["x"].shape[2])
    cosine, sine = rotation(frames, config.rotary, config.head_width, config.rotary_base)
    yield compare("time_sinusoid", sinusoid(vectors["t"]), vectors["time_sinusoid"], 1e-6)
    yield compare("rope_cos", cosine.repeat_interleave(2, dim=1), vectors["rope_cos"], 1e-6)
    yield compare("rope_sin", sine.repeat_interleave(2, dim=1), vectors["rope_sin"], 1e-6)
    yield from check_plain(path)
    if not path.stem.startswith("opt_"):
        yield from check_dit(path)


@torch.no_grad()
def check_dit(path: Path) -> Iterator[Row]:
    """Every stage of one evaluation of our network, which has the parts of the releases and no others."""
    dit, fusion = backbone(path)
    vectors = load_file(path)
    hidden: list[Tensor] = []
    for module in (dit.patch, *dit.blocks):
        module.register_forward_hook(lambda module, inputs, output: hidden.append(output))
    channels = dit.config.latent_channels
    noisy, source, mask = vectors["x"].split([channels, channels, 1], dim=1)
    out = dit(noisy, source, mask, vectors["t"], fusion(states(vectors)), vectors["omni_mask"])
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

        solve(velocity, noise, times, after=after)
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
