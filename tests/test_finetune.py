from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import soundfile
import torch
from numpy.typing import NDArray
from typer.testing import CliRunner

from tests.conftest import LAYOUT
from tests.training_run import CPU, DrawnStates, corpus_bank, recipe, trainer
from unison_engine.bundle import Bundle
from unison_engine.conditioning import Line
from unison_engine.engine import Engine
from unison_engine.errors import BadArguments, ModelMissing, UnisonError, UnknownAsset
from unison_engine.prompts import audio
from unison_export.cli import app
from unison_export.graphs import round_weights
from unison_export.weights import read_checkpoint
from unison_train import fit
from unison_train.autoencoder.spectrum import mel_filters
from unison_train.checkpoint import Checkpoint
from unison_train.config import TrainConfig
from unison_train.corpus.manifest import Clip
from unison_train.finetune import finetune
from unison_train.synthesis.served import served_tasks
from unison_train.synthesis.settings import Synthesis
from unison_train.synthesis.tasks import TASKS
from unison_train.text import LanguageModel, StateCache, TextBatch

SOUND_TASKS = ("t2a_single", "t2a_mix", "t2a_timeline", "edit_add", "edit_remove", "edit_remove_add")


def sounds(*captions: str) -> list[Clip]:
    return [Clip(path=f"{number}.wav", seconds=1.0, captions=(one,)) for number, one in enumerate(captions)]


def speech(*lines: str, seconds: float = 1.5, **who: Any) -> list[Clip]:
    return [Clip(path=f"{line}.wav", seconds=seconds, transcript=line, **who) for line in lines]


ADA: dict[str, Any] = {"speaker": "ada", "gender": "female"}
BOB: dict[str, Any] = {"speaker": "bob", "gender": "male"}


@pytest.mark.parametrize(
    ("clips", "tasks"),
    [
        ([], ()),
        (sounds("rain"), ("t2a_single", "t2a_timeline")),
        (sounds("rain", "rain"), ("t2a_single", "t2a_timeline")),
        (sounds("rain", "wind"), ("t2a_single", "t2a_mix", "t2a_timeline", "edit_add", "edit_remove")),
        (sounds("rain", "wind", "a bell"), SOUND_TASKS),
        (speech("go.", "stop."), ()),
        (speech("go.", gender="female"), ("tts",)),
        (speech("go.", **ADA), ("tts",)),
        (speech("go.", "stop.", **ADA), ("tts", "zeroshotts")),
        (speech("go.", seconds=2.5, **ADA), ("tts", "zeroshotts")),
        (speech("go.", "stop.", seconds=12.0, **ADA), ()),
        (speech("go.", "stop.", speaker="ada"), ("zeroshotts",)),
        (speech("go.", **ADA) + sounds("rain"), ("speech_audio_mix", "edit_speech_insert", "speech_delete", "denoise")),
        (speech("go.", **ADA) + sounds("rain", "wind"), ("edit_arsp",)),
        (speech("go.", **ADA) + speech("stop.", **BOB) + sounds("rain"), ("edit_srap",)),
        (speech("go.", "stop.", **ADA) + speech("go.", "stop.", **BOB) + sounds("rain", "wind", "a bell"), TASKS),
    ],
)
def test_clips_serve_the_tasks_that_they_have_the_parts_of(clips: list[Clip], tasks: Sequence[str]) -> None:
    served = served_tasks(clips, 10.0, Synthesis())
    both = {clip.kind for clip in clips} == {"sound", "speech"}
    assert set(tasks) <= set(served) if both else set(tasks) == set(served)


@pytest.fixture
def start(checkpoint: Checkpoint, tmp_path: Path) -> Path:
    checkpoint.save(tmp_path / "start")
    return tmp_path / "start"


@pytest.fixture
def known_model(language_model: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """The language model that other tests have read already."""
    monkeypatch.setattr(fit, "LanguageModel", lambda *_: language_model)


@pytest.fixture
def quick(tmp_path: Path) -> str:
    """The shipped recipe with small batches."""
    shipped = TrainConfig.load("finetune").model_dump(exclude_none=True)
    shipped["run"] |= {"frames_per_batch": 100, "steps": 2}
    shipped["data"] |= {"prompts_per_task": 2}
    lines = [f"{key} = {json.dumps(value)}" for key, value in shipped.items() if not isinstance(value, dict)]
    for section in ("data", "optimiser", "run", "tasks"):
        lines += [f"[{section}]", *(f"{key} = {json.dumps(value)}" for key, value in shipped[section].items())]
    (tmp_path / "quick.toml").write_text("\n".join(lines))
    return str(tmp_path / "quick.toml")


@pytest.mark.parametrize("manifest", ["sound.jsonl", "speech.jsonl"])
def test_a_manifest_trains_a_checkpoint_for_what_it_can_serve(
    corpus: Path,
    start: Path,
    tmp_path: Path,
    quick: str,
    known_model: None,
    capsys: pytest.CaptureFixture[str],
    manifest: str,
) -> None:
    finetune(corpus / manifest, start, tmp_path / "mine", CPU, quick)
    told, judged = capsys.readouterr().out.splitlines()
    assert "too few clips of the split valid" in judged
    served, left_out = told.split("; they cannot serve ")
    ours, others = ("t2a_single", "tts") if manifest == "sound.jsonl" else ("tts", "t2a_single")
    assert told.startswith("6 clips: ") and ours in served and others in left_out and others not in served
    made, before = Checkpoint.load(tmp_path / "mine"), Checkpoint.load(start)
    assert (made.config, made.layout) == (before.config, before.layout)
    assert made.record["preset"] == "tiny" and made.record["start"] == before.record
    assert made.record["data"]["clips"] == 6
    assert others not in made.record["training"]["recipe"]["tasks"]
    assert any(not torch.equal(value, before.dit.state_dict()[name]) for name, value in made.dit.state_dict().items())
    for name, value in before.autoencoder.state_dict().items():
        assert torch.equal(value, made.autoencoder.state_dict()[name]), name


@pytest.mark.slow
def test_one_command_makes_a_bundle_of_a_bundle(
    bundle: Path, corpus: Path, tmp_path: Path, known_model: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "mine"
    command = ["finetune", str(bundle), str(corpus / "sound.jsonl"), str(out), "--lora", "2", "--steps", "2"]
    done = CliRunner().invoke(app, command, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    made = Bundle.open(out)
    assert made.manifest.name == "mine" and made.manifest.sampling == Bundle.open(bundle).manifest.sampling
    assert made.manifest.card["training"]["recipe"]["lora_rank"] == 2
    merged, found = Checkpoint.load(tmp_path / "mine.run"), read_checkpoint(made)
    for part in ("dit", "fusion"):
        round_weights(getattr(merged, part))
        wanted = getattr(merged, part).state_dict()
        for name, value in getattr(found, part).state_dict().items():
            assert torch.equal(value, wanted[name]), name
    assert soundfile.info(render(out, "a hiss", 1, tmp_path / "takes")[0]).duration == 2.0


@pytest.mark.parametrize(
    ("rows", "error", "told"),
    [
        (None, UnknownAsset, r"clips\.jsonl does not exist"),
        ([], BadArguments, "0 clips to train on"),
        (
            [
                {"path": f"sound{n}.flac", "caption": "rain", "split": split}
                for n, split in enumerate(("valid", "test"))
            ],
            BadArguments,
            '0 clips to train on.*1 are valid and 1 are test by their split; leave it out, or make it "train"',
        ),
        (
            [{"path": "speech0.flac", "transcript": "go.", "seconds": 12.34, **ADA}],
            BadArguments,
            r"1 of 1 clips of speech, of up to 12\.3 s, are longer than max_seconds of the recipe \(10 s\)",
        ),
        ([{"path": "sound0.flac", "transcript": "go."}], BadArguments, "a transcript with a gender"),
        ([{"path": "sound0.flac", "caption": "rain", "volume": 3}], BadArguments, "line 1: volume"),
        ([{"path": "nowhere.wav", "caption": "rain"}], UnknownAsset, "line 1: nowhere.wav does not exist"),
    ],
)
def test_clips_that_cannot_be_used_are_told(
    corpus: Path, start: Path, tmp_path: Path, rows: list[dict[str, Any]] | None, error: type[UnisonError], told: str
) -> None:
    manifest = corpus / "clips.jsonl"
    manifest.unlink(missing_ok=True)
    if rows is not None:
        manifest.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(error, match=told):
        finetune(manifest, start, tmp_path / "mine", CPU)
    assert not (tmp_path / "mine").exists()


def test_lines_that_are_too_long_to_be_heard_are_told(
    corpus: Path, start: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    spoken = [{"path": f"speech{n}.flac", "transcript": "go.", "seconds": 9 + n, **ADA} for n in range(3)]
    (corpus / "long.jsonl").write_text("".join(json.dumps(row) + "\n" for row in spoken))
    monkeypatch.setattr("unison_train.finetune.assemble", lambda *_: SimpleNamespace(run=lambda minutes: None))
    finetune(corpus / "long.jsonl", start, tmp_path / "mine", CPU)
    shares, told = capsys.readouterr().out.splitlines()
    assert shares.startswith("3 clips: tts") and told.startswith("1 of 3 clips of speech, of up to 11.0 s, are longer")


def test_a_start_that_cannot_be_used_is_told(corpus: Path, start: Path, tmp_path: Path) -> None:
    clips = corpus / "sound.jsonl"
    with pytest.raises(ModelMissing, match="holds no checkpoint"):
        finetune(clips, tmp_path, tmp_path / "mine", CPU)
    with pytest.raises(BadArguments, match="give another folder"):
        finetune(clips, start, start, CPU)
    with pytest.raises(BadArguments, match=r"no recipe 'mega'.*finetune"):
        finetune(clips, start, tmp_path / "mine", CPU, "mega")


def test_a_sound_is_asked_for_as_a_request_asks_and_as_loud(corpus: Path, tmp_path: Path) -> None:
    run = trainer(corpus_bank(corpus), tmp_path, recipe(steps=2).model_copy(update={"tasks": {"t2a_single": 1.0}}))
    batch = run.stream.batch(0)[1]
    assert set(batch.prompts) <= {audio(caption) for caption in run.stream._bank.captions}
    first = batch.target[0][: round(0.5 * LAYOUT.sample_rate)]
    assert float(first.square().mean().sqrt()) == pytest.approx(0.1, rel=0.15)


class OtherStates(DrawnStates):
    """States that say something else for the same prompt, even for an empty one."""

    def batch(self, prompts: Sequence[str], lines: Sequence[Sequence[Line]], device: torch.device) -> TextBatch:
        return super().batch([f"{prompt} in other words" for prompt in prompts], lines, device)


def test_a_dropped_prompt_is_masked_out_and_not_emptied(corpus: Path, tmp_path: Path) -> None:
    run = trainer(corpus_bank(corpus), tmp_path, recipe(steps=2, lora_rank=1))
    *_, (_, batch) = (run.stream.batch(0) for _ in range(3))  # One whose prompts tell enough.

    def loss(states: DrawnStates, dropout: float) -> float:
        run.objective.states = cast(StateCache, states)
        return float(run.objective.training(batch, dropout, torch.Generator().manual_seed(1)).detach())

    assert loss(DrawnStates(), 0.0) != pytest.approx(loss(OtherStates(), 0.0), rel=1e-4)
    assert loss(DrawnStates(), 1.0) == pytest.approx(loss(OtherStates(), 1.0), rel=1e-5)
    # As the sampler does it: no token of the text counts, its states stay.
    silenced = dataclasses.replace(text := DrawnStates().batch(batch.prompts, batch.lines, CPU), mask=0 * text.mask)
    run.objective.states = cast(StateCache, type("Silenced", (), {"batch": lambda *_: silenced})())
    assert float(run.objective.training(batch, 0.0, torch.Generator().manual_seed(1)).detach()) == pytest.approx(
        loss(DrawnStates(), 1.0), rel=1e-5
    )


# The whole path with the shipped model

RATE, SECONDS, PROMPT, SEEDS = 24_000, 2.0, "a servo motor whirrs", (1, 2, 3, 4)


def write_servos(folder: Path) -> Path:
    """Twenty short sounds of a kind, with the same caption; returns the manifest."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    rows = []
    for number in range(20):
        seconds = rng.uniform(1.0, 2.0)
        time = np.arange(round(seconds * RATE)) / RATE
        pitch = rng.uniform(500, 700) * (1 + 0.8 * np.sin(np.pi * time / seconds))
        phase = 2 * np.pi * np.cumsum(pitch) / RATE
        wave = np.sum([np.sin(k * phase) / k for k in range(1, 7)], axis=0)
        wave *= (0.6 + 0.4 * np.sign(np.sin(2 * np.pi * 30 * time))) * np.minimum(1, (seconds - time) / 0.05)
        soundfile.write(folder / f"servo{number}.wav", 0.3 * wave / np.abs(wave).max(), RATE)
        rows.append(json.dumps({"path": f"servo{number}.wav", "caption": PROMPT, "licence": "CC0-1.0"}) + "\n")
    (folder / "clips.jsonl").write_text("".join(rows))
    return folder / "clips.jsonl"


def render(bundle: str | Path, prompt: str, seeds: int | Sequence[int], library: Path) -> list[Path]:
    """Sounds of a prompt, one a seed."""
    # Which backend is fastest here is remembered in the user's own cache.
    engine = Engine.open(bundle, library, "onnxruntime")
    asked = [seeds] if isinstance(seeds, int) else seeds
    return [engine.run("text_to_audio", prompt=prompt, seconds=SECONDS, seed=seed).path for seed in asked]


def spectrum(path: Path) -> NDArray[np.float64]:
    """Log-mel power in dB over the whole sound, which is first brought to the same RMS."""
    wave = soundfile.read(path)[0]
    wave = wave * 0.1 / np.sqrt(np.mean(wave**2))
    frames = np.lib.stride_tricks.sliding_window_view(wave, 1024)[::256] * np.hanning(1024)
    power = np.square(np.abs(np.fft.rfft(frames)) @ mel_filters(RATE, 1024, 80)).mean(0)
    return np.asarray(10 * np.log10(power + 1e-6))


@pytest.mark.slow
@pytest.mark.parametrize("options", [(), ("--lora", "16")], ids=["full", "lora"])
def test_a_fine_tuned_model_sounds_more_like_the_clips(tmp_path: Path, options: Sequence[str]) -> None:
    manifest = write_servos(tmp_path / "my")
    program = Path(sys.executable).parent / "unison-export"
    command = [str(program), "finetune", "nano", str(manifest), "mine", "--steps", "100", *options]
    subprocess.run(command, check=True, cwd=tmp_path)
    before = render("nano", PROMPT, SEEDS, tmp_path / "before")
    after = render(tmp_path / "mine", PROMPT, SEEDS, tmp_path / "after")
    wanted = np.mean([spectrum(clip) for clip in manifest.parent.glob("*.wav")], axis=0)
    far, near = (np.mean([np.abs(spectrum(path) - wanted).mean() for path in paths]) for paths in (before, after))
    for old, new in zip(before, after, strict=True):
        assert np.abs(soundfile.read(old)[0] - soundfile.read(new)[0]).max() > 0.01
    assert near < 0.8 * far, f"{near:.1f} dB from the clips, {far:.1f} dB before"
