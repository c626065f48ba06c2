"""From packages to a sound, by the commands of the README, each as short as can be."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import soundfile

from unison_train.corpus.manifest import read_manifest
from unison_train.corpus.speech import VOICES

ROOT = Path(__file__).parent.parent


@pytest.mark.slow
def test_corpus_training_bundle_sound(tmp_path: Path) -> None:
    def command(program: str, *arguments: str | Path) -> None:
        subprocess.run([Path(sys.executable).parent / program, *arguments], check=True, cwd=tmp_path)

    # Fetched packages are kept where the README's own command keeps them.
    cache = ROOT / "data" / "cache"
    command("unison-train", "corpus", "build", "corpus", "--cache", cache, "--sentences", "2")
    clips = [clip for name in ("sound", "speech") for clip in read_manifest(tmp_path / "corpus" / f"{name}.jsonl")]
    assert {clip.split for clip in clips} == {"train", "valid", "test"}
    assert {clip.licence for clip in clips} == {"Apache-2.0", "CC0-1.0", "MIT"}
    assert {clip.speaker for clip in clips if clip.kind == "speech"} == {voice.name for voice in VOICES}

    command("unison-train", "autoencoder", "--corpus", "corpus", "--out", "autoencoder", "--steps", "2")
    train = ["run", "--corpus", "corpus", "--start", "autoencoder", "--out", "mine"]
    command("unison-train", *train, "--steps", "2")
    command("unison-train", *train, "--steps", "3")
    assert len((tmp_path / "mine" / "log.jsonl").read_text().splitlines()) == 3
    assert list((tmp_path / "mine" / "samples").glob("*/tts.made.wav"))

    command("unison-export", "bundle", "mine", "bundle", "--name", "mine")
    wav = tmp_path / "rain.wav"
    asked = ["--bundle", "bundle", "--library", "takes", "--prompt", "heavy rain", "--seconds", "1"]
    command("unison", "run", "text_to_audio", *asked, "-o", wav)
    assert soundfile.info(wav).duration == 1.0

    command("unison-export", "checkpoint", "bundle", "start")
    command("unison-train", "run", "--corpus", "corpus", "--start", "start", "--out", "further", "--steps", "1")
    assert (tmp_path / "further" / "model.safetensors").is_file()
