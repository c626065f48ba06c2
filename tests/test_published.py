"""A published model becomes a bundle that the engine runs; wrong files are refused in one line each."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.export import Dim
from typer.testing import CliRunner

from tests.corpus import write_corpus
from tests.language_models import SYSTEM, save_omni, save_qwen3
from tests.published import LAYOUT, NETWORK, PRESET, add_preset, write_published_files
from unison_engine import conditioning
from unison_engine.bundle import Bundle
from unison_engine.conditioning import Conditioning, Mask, mask_frames
from unison_engine.errors import ModelMissing, TooLarge
from unison_engine.runtime.sampler import Sampling, schedule, solve
from unison_engine.runtime.session import Session
from unison_engine.runtime.synthesis import Synthesizer
from unison_engine.runtime.text import PromptTokens
from unison_export.cli import app as export
from unison_export.cli import main
from unison_export.graphs import Export
from unison_export.int8 import relative_error
from unison_export.mapped import write_mapped
from unison_export.published import StateReader, text_export
from unison_export.weight_only import Bits, states_error, with_few_bits
from unison_train.checkpoint import Checkpoint
from unison_train.cli import app as train
from unison_train.config import TrainConfig
from unison_train.fit import load_bank
from unison_train.language_models import load_language_model
from unison_train.model.flow import guided_velocity
from unison_train.objective import Objective
from unison_train.official.audio import PublishedAudio
from unison_train.official.checkpoint import Published, read_denoiser, read_published
from unison_train.stopwatch import Stopwatch
from unison_train.text import LanguageModel, StateCache
from unison_train.tuples import TupleStream

SOUND = (0.1 * np.random.default_rng(1).standard_normal(20_000)).astype(np.float32)
REQUESTS = {
    "generate": conditioning.text_to_audio("rain", 0.7),
    "edit": conditioning.scene_edit(SOUND, "Add a bell.", LAYOUT),
    "clone": conditioning.voice_clone("hello.", "go.", SOUND[:6_000], 0.9, LAYOUT),
}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("published")
    with pytest.MonkeyPatch.context() as patch:
        add_preset(patch)
        write_published_files(folder)
        yield folder


@pytest.fixture
def copy(files: Path, tmp_path: Path) -> Path:
    """The files once more, so that one can be exchanged."""
    for path in files.iterdir():
        (tmp_path / path.name).symlink_to(path)
    return tmp_path


def official(folder: Path, preset: str = PRESET, **others: Path | str) -> None:
    """`unison-export bundle --official` with the files of a folder, or others."""
    parts = {name: folder / file for name, file in (("vae", "vae.pth"), ("vocoder", "vocoder.pt"))}
    options = {**parts, "encoder": folder / "encoder", "system": folder / "system.txt", "preset": preset} | others
    network = options.pop("network", folder / "network")
    arguments = [word for name, value in options.items() if value for word in (f"--{name}", str(value))]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            sys, "argv", ["unison-export", "bundle", "--official", str(network), *arguments, str(folder / "bundle")]
        )
        try:
            main()
        except SystemExit as end:
            if end.code:
                raise


class Intruder:
    """Runs code when it is unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch intruded",)


def other_network(folder: Path) -> dict[str, Path | str]:
    state = load_file(folder / "network" / "model.safetensors")
    deeper = {name.replace("blocks.1.", "blocks.2."): tensor.clone() for name, tensor in state.items()}
    save_file(state | deeper, folder / "other.safetensors")
    return {"network": folder / "other.safetensors"}


def truncated(folder: Path) -> dict[str, Path | str]:
    whole = (folder / "vae.pth").read_bytes()
    (folder / "half.pth").write_bytes(whole[: len(whole) // 2])
    return {"vae": folder / "half.pth"}


def code(folder: Path) -> dict[str, Path | str]:
    torch.save({"generator": Intruder()}, folder / "bad.pt")
    return {"vocoder": folder / "bad.pt"}


def other_vae(folder: Path) -> dict[str, Path | str]:
    from tests.vector_checks import stored_weights
    from tests.vectors_io import tensors

    torch.save(stored_weights(tensors("vae/vae44k_w12")), folder / "vae44.pth")
    return {"vae": folder / "vae44.pth"}


def narrow_encoder(folder: Path) -> dict[str, Path | str]:
    save_omni(folder / "narrow", hidden_size=16)
    return {"encoder": folder / "narrow"}


def longer_system(folder: Path) -> dict[str, Path | str]:
    (folder / "longer.txt").write_text(SYSTEM + "\n")
    return {"system": folder / "longer.txt"}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (other_network, r"choose its preset\. unexpected double_blocks\.2"),
        (truncated, r"half\.pth is damaged"),
        (code, "a pickle can run code"),
        (other_vae, r"VAE of 128 mel bins and 40 channels, the 16k variant has 80 and 20"),
        (narrow_encoder, r"is 16 wide, the network was trained on states of 32"),
        (longer_system, r"has 131 tokens, the published one 130; .*not even a line break at its end"),
        (lambda folder: {"system": ""}, r"needs the system prompt .*omni_encoder\.py"),
        (lambda folder: {"system": folder / "no.txt"}, r"there is no file .*no\.txt"),
        (lambda folder: {"network": folder / "encoder" / "none"}, r"there is no file .*none"),
        (lambda folder: {"vocoder": folder / "vae.pth"}, r"does not hold this BigVGAN generator"),
        (lambda folder: {"text-bits": "3"}, r"--text-bits 3 is not a choice; take 4 or 8"),
        (lambda folder: {"preset": "nano"}, r"preset is 'nano'; choose one of d20s0-44k, d24s0-16k"),
    ],
)
def test_a_wrong_file_is_one_line(copy: Path, wrong: Callable[[Path], dict[str, Path | str]], message: str) -> None:
    with pytest.raises(SystemExit, match=message) as caught:
        official(copy, **wrong(copy))  # type: ignore[arg-type]
    assert str(caught.value).startswith("unison-export: ") and "\n" not in str(caught.value)
    assert not (copy / "bundle").exists() and not Path("intruded").exists()


def test_the_folder_of_the_encoder_is_found_from_everywhere(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(files)
    parts = Published(files / "network", files / "vae.pth", files / "vocoder.pt", "encoder", None, "left")
    assert read_published(parts, PRESET).record["text"]["source"] == str((files / "encoder").resolve())
    hub = read_published(replace(parts, encoder="Qwen/Qwen2.5-Omni-7B"), PRESET)
    assert hub.record["text"]["source"] == "Qwen/Qwen2.5-Omni-7B"


def test_parameters_stay_in_the_file_s_precision(files: Path) -> None:
    stored = load_file(files / "network" / "model.safetensors")
    denoiser = read_denoiser(files / "network", NETWORK)
    assert {parameter.dtype for parameter in denoiser.parameters()} == {torch.bfloat16}
    assert torch.equal(denoiser.state_dict()["fusion.projectors.1.weight"], stored["deep_fusion_projs.1.weight"])


@pytest.fixture(scope="module")
def bundle(files: Path) -> Path:
    official(files)
    return files / "bundle"


@pytest.fixture(scope="module")
def synthesizer(bundle: Path) -> Synthesizer:
    return Synthesizer.open(bundle, threads=1)


@torch.no_grad()
def torch_latent(files: Path, request: Conditioning, seed: int) -> torch.Tensor:
    """What the published sampler makes, as the reference tells it: the whole grid, whatever the length."""
    denoiser = read_denoiser(files / "network", NETWORK).float()
    audio = PublishedAudio.read(files / "vae.pth", files / "vocoder.pt", "16k", LAYOUT.channels)
    model = LanguageModel(str(files / "encoder"), 2, None, False, torch.device("cpu"), torch.float32, SYSTEM)
    states = model.states([model.tokenise(request.prompt)])[0][:, None]
    samples, frames = 32_000, 62
    source, given = torch.zeros(1, 20, frames), 0
    mask = torch.zeros(1, 1, frames)
    if request.source is not None:
        given = len(request.source)
        mask = torch.from_numpy(mask_frames(request.mask, frames, given, samples))[None, None]
        wave = np.zeros((1, samples), np.float32)
        wave[0, :given] = request.source
        noise = np.random.default_rng(seed).standard_normal(wave.shape, dtype=np.float32)
        source = audio.encode(torch.from_numpy(np.where(np.abs(wave) < 1e-4, np.float32(1e-4) * noise, wave)))
        source = source * (mask == Mask.REFERENCE) if request.mask is Mask.REFERENCE else source
    noise = np.random.default_rng(seed).standard_normal((1, 20, frames), dtype=np.float32)
    text = denoiser.fusion(states)
    velocity = guided_velocity(
        denoiser.dit, source, mask, text, torch.ones(1, text.shape[2]), None, 4.5, schedule(3)[:-1].tolist()
    )
    return solve(velocity, torch.from_numpy(noise), schedule(3))


@pytest.mark.slow
@pytest.mark.parametrize("name", REQUESTS)
def test_latents_are_those_of_torch(files: Path, synthesizer: Synthesizer, name: str) -> None:
    found = synthesizer.sample(REQUESTS[name], seed=4, sampling=Sampling(steps=3, guidance=4.5))
    expected = torch_latent(files, REQUESTS[name], 4).numpy()
    assert found.shape == (1, 20, 62) and expected.std() > 0.3
    np.testing.assert_allclose(found, expected, atol=1e-3, rtol=1e-3)


@pytest.mark.slow
def test_a_sound_is_the_beginning_of_the_whole_grid(synthesizer: Synthesizer) -> None:
    two = Sampling(steps=2, guidance=4.5)
    short, long = (synthesizer.run(conditioning.text_to_audio("rain", s), seed=1, sampling=two) for s in (0.5, 2.0))
    assert len(short) == 8_000 and len(long) == 62 * 512
    np.testing.assert_allclose(short / np.abs(short).max(), long[:8_000] / np.abs(long[:8_000]).max(), atol=1e-4)
    with pytest.raises(TooLarge, match="at most 126; shorten it"):
        synthesizer.run(conditioning.text_to_audio("a" * 120, 0.5), seed=1, sampling=two)


@pytest.mark.slow
def test_waves_and_states_are_those_of_torch(files: Path, synthesizer: Synthesizer) -> None:
    audio = PublishedAudio.read(files / "vae.pth", files / "vocoder.pt", "16k", LAYOUT.channels)
    latent = torch.randn(1, 20, 31, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        expected = audio.decode(latent).numpy()
        encoded = audio.encode(torch.from_numpy(SOUND[None])).numpy()
    np.testing.assert_allclose(synthesizer.vae_decoder(latent=latent.numpy()), expected, atol=1e-4)
    np.testing.assert_allclose(synthesizer.vae_encoder(wave=SOUND[None]), encoded, atol=1e-4)
    model = LanguageModel(str(files / "encoder"), 2, None, False, torch.device("cpu"), torch.float32, SYSTEM)
    tokens = synthesizer.tokenize("[Audio] rain")
    assert tokens.ids == model.tokenise("[Audio] rain").ids
    found = synthesizer.states(tokens)
    np.testing.assert_allclose(found, model.states([tokens])[0].numpy(), atol=1e-4)


@pytest.mark.slow
def test_the_bundle_tells_what_it_is(bundle: Path) -> None:
    opened = Bundle.open(bundle)
    opened.verify()
    manifest = opened.manifest
    assert "non-commercial" in manifest.licence and manifest.dither == 1e-4 and opened.layout == LAYOUT
    assert (manifest.sampling.steps, manifest.sampling.guidance) == (100, 4.5)
    assert manifest.text.window == 126 and manifest.text.padding == "left" and manifest.text.weights is None
    # The rates of the language model's rotation are not rounded.
    weights = {name: manifest.graphs[name].weights for name in ("step", "text_encoder")}
    assert weights == {"step": "bfloat16", "text_encoder": "bfloat16, float32"}


@pytest.mark.slow
def test_a_published_model_is_trained_further(files: Path, bundle: Path, tmp_path: Path) -> None:
    corpus, start, run, out = (tmp_path / name for name in ("corpus", "start", "run", "bundle"))
    write_corpus(corpus)
    parts = {"--vae": "vae.pth", "--vocoder": "vocoder.pt", "--encoder": "encoder", "--system": "system.txt"}
    options = [word for option, file in parts.items() for word in (option, str(files / file))]
    command = ["official", str(files / "network"), str(start), "--preset", PRESET, *options]
    done = CliRunner().invoke(train, command, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    # Where every byte is a token, only short prompts fit.
    shipped = (resources.files("unison_train") / "presets" / "finetune.toml").read_text().partition("[tasks]")[0]
    shipped = shipped.replace("learning_rate = 1e-4", "learning_rate = 10.0")
    (tmp_path / "short.toml").write_text(f"{shipped}[tasks]\nt2a_single = 1.0\n")
    tuned = ["finetune", "--clips", str(corpus / "sound.jsonl"), "--start", str(start), "--out", str(run)]
    options = ["--steps", "2", "--lora", "2", "--recipe", str(tmp_path / "short.toml")]
    done = CliRunner().invoke(train, [*tuned, *options], catch_exceptions=False)
    assert done.exit_code == 0 and "t2a_single" in done.output, done.output
    before, after = Checkpoint.load(start), Checkpoint.load(run)
    assert after.record["text"]["system"] == SYSTEM and after.record["start"] == before.record
    moved = [name for name, value in before.dit.state_dict().items() if not value.equal(after.dit.state_dict()[name])]
    assert moved and all(".attention." in name or ".mlp" in name for name in moved)
    done = CliRunner().invoke(export, ["bundle", str(run), str(out), "--name", "mine"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    manifest = Bundle.open(out).manifest
    assert manifest.name == "mine" and "non-commercial" in manifest.licence and manifest.sampling.steps == 100
    assert manifest.text.system == SYSTEM and "system" not in manifest.card["text"]
    two = Sampling(steps=2, guidance=4.5)
    sounds = [Synthesizer.open(one, threads=1).run(REQUESTS["edit"], seed=1, sampling=two) for one in (out, bundle)]
    assert np.abs(sounds[0] - sounds[1]).max() > 1e-4
    (files / "vae.pth").rename(tmp_path / "vae.pth")
    try:
        with pytest.raises(ModelMissing, match=r"vae\.pth, which is gone or has changed"):
            Checkpoint.load(run)
    finally:
        (tmp_path / "vae.pth").rename(files / "vae.pth")


@pytest.mark.slow
def test_training_sees_the_whole_grid_dithered(files: Path, tmp_path: Path) -> None:
    write_corpus(tmp_path)
    bank = load_bank([tmp_path / "speech.jsonl", tmp_path / "sound.jsonl"], LAYOUT.sample_rate, torch.device("cpu"))
    config = TrainConfig.load("finetune")
    for task in ("t2a_single", "zeroshotts"):
        batch = TupleStream(bank, LAYOUT, config, False).examples(task, 3)
        assert batch.target.shape == (1, 62 * 512) and batch.valid.all() and batch.valid.shape == (1, 62)
    audio = PublishedAudio.read(files / "vae.pth", files / "vocoder.pt", "16k", LAYOUT.channels)
    silent = replace(batch, target=torch.zeros_like(batch.target), source=None)
    objective = Objective(nn.Identity(), audio, cast(StateCache, None), "fp32", cast(Stopwatch, None))
    heard = {}
    for floor in (0.0, 1e-4):
        audio.dither = floor
        heard[floor] = objective.latents(silent)[0]
    assert heard[0.0].shape == (1, 20, 62) and (heard[0.0] - heard[1e-4]).abs().max() > 0.1


@pytest.mark.parametrize(("bits", "step"), [(8, 1 / 255), (4, 1 / 15)])
def test_rounded_weights_multiply_as_onnxruntime_reads_them(bits: Bits, step: float, tmp_path: Path) -> None:
    linear = nn.Linear(80, 3)
    with torch.no_grad():
        linear.weight[0] = 1.0  # A block without zero has it added.
        linear.weight[1] = 0.0
    layer = nn.Sequential(linear)
    x = torch.randn(2, 5, 80)
    few = Export(with_few_bits(layer, bits), "forward", {"input": x}, {"input": {1: Dim("n", min=2)}}, "y", (2, "n", 3))
    graph = write_mapped("few", few, tmp_path)
    found = Session(tmp_path / graph.file, 1)(input=x.numpy())
    exact = layer(x).detach().numpy()
    # No weight is off by more than half a step of its block, nor is a sum of them.
    widest = 2 * linear.weight.detach().abs().max() * step / 2
    assert np.abs(found - exact).max() <= float(widest * x.abs().sum(-1).max())
    np.testing.assert_allclose(found[..., :2], exact[..., :2], atol=1e-5)


@pytest.mark.parametrize(("bits", "loss"), [(8, 0.01), (4, 0.15)])
def test_the_language_model_can_be_kept_in_few_bits(files: Path, tmp_path: Path, bits: Bits, loss: float) -> None:
    whole = load_language_model(str(files / "encoder"), torch.float32, SYSTEM)
    few = replace(whole, decoder=with_few_bits(whole.decoder, bits))
    graph = write_mapped("text_encoder", text_export(few, NETWORK), tmp_path)
    tokens = whole.tokenizer.encode(whole.template.head + "a door opens").ids
    exact = StateReader(whole, NETWORK.depth)(torch.tensor([tokens])).detach().numpy()
    error = relative_error(Session(tmp_path / graph.file, 1)(input_ids=np.array([tokens])), exact)
    assert loss / 20 < error < 2 * loss


@pytest.mark.slow
def test_a_bundle_tells_in_how_many_bits_its_language_model_is(copy: Path) -> None:
    official(copy, **{"text-bits": "8"})
    few = Bundle.open(copy / "bundle")
    graph = few.manifest.graphs["text_encoder"]
    assert graph.weights == "8 bits in blocks of 32"
    assert graph.error is not None and 0.0005 < graph.error < 0.01
    made = Synthesizer.open(few.folder, threads=1).run(
        REQUESTS["generate"], seed=1, sampling=Sampling(steps=2, guidance=1)
    )
    assert np.isfinite(made).all() and np.abs(made).max() > 0


def test_states_that_the_network_does_not_see_are_not_judged(tmp_path: Path) -> None:
    class Reader(nn.Module):
        """A state of 1 at every token, but for the one of a 9 that `first` gives."""

        def __init__(self, first: float) -> None:
            super().__init__()
            self.first = first

        def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
            return torch.where(input_ids == 9, self.first, 1.0)[..., None]

    tokens = {"input_ids": torch.tensor([[9, 1, 2]])}
    export = Export(Reader(7.0), "forward", tokens, {"input_ids": {1: Dim("n", min=2)}}, "states", (1, "n", 1))
    graph = write_mapped("reader", export, tmp_path)
    seen, whole = (PromptTokens([9, 1, 2], kept, np.zeros(kept, np.float32)) for kept in (2, 3))
    assert states_error(tmp_path / graph.file, Reader(1.0), [seen]) == 0
    assert states_error(tmp_path / graph.file, Reader(1.0), [seen, whole]) > 1


@pytest.mark.slow
def test_another_family_of_encoders_becomes_a_graph_as_well(tmp_path: Path) -> None:
    save_qwen3(tmp_path)
    found = load_language_model(str(tmp_path), torch.bfloat16)
    graph = write_mapped("text_encoder", text_export(found, NETWORK), tmp_path)
    model = LanguageModel(str(tmp_path), 2, None, False, torch.device("cpu"), torch.float32)
    tokens = model.tokenise("[Audio] rain")
    states = Session(tmp_path / graph.file, 1)(input_ids=np.array([tokens.ids]))
    np.testing.assert_allclose(states, model.states([tokens])[0].numpy(), atol=1e-4)
