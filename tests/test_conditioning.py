from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from unison_engine import conditioning, prompts
from unison_engine.audio import crop_reference, cut_reference
from unison_engine.conditioning import Mask, mask_frames
from unison_engine.errors import BadArguments, TooLarge
from unison_engine.layout import LatentLayout

CASES = json.loads((Path(__file__).parent / "vectors" / "tables" / "host_side.json").read_text())
NANO = LatentLayout(sample_rate=24_000, hop=960, channels=32, max_seconds=10.0)


@pytest.mark.parametrize("case", CASES["zero_shot_prompts"])
def test_cloned_speech_prompt(case: dict[str, str]) -> None:
    assert prompts.cloned_speech(case["ref_text"], case["target_text"]) == case["prompt"]


@pytest.mark.parametrize("case", CASES["zero_shot_mask"])
def test_reference_frames(case: dict[str, int]) -> None:
    mask = mask_frames(Mask.REFERENCE, case["latent_frames"], case["ref_samples"], case["wav_samples"])
    assert mask.tolist() == [2.0] * case["ref_latent_frames"] + [0.0] * (
        case["latent_frames"] - case["ref_latent_frames"]
    )


@pytest.mark.parametrize("case", CASES["silence_cut"])
def test_silence_aware_cut(case: dict[str, Any]) -> None:
    rate, samples = int(case["sr"]), int(case["samples"])
    wave = 0.3 * np.sin(2 * np.pi * 180 * np.arange(samples) / rate)
    for start, end in case["gaps"]:
        wave[start:end] *= 1e-4
    options = dict(zip(["search_seconds"], case["args"].values(), strict=False))
    assert len(cut_reference(wave.astype(np.float32), rate, case["target_len"] / rate, **options)) == case["cut"]


@pytest.mark.parametrize("case", CASES["decode_crop"])
def test_crop_after_decoding(case: dict[str, int]) -> None:
    wave = np.ones(case["decoded_samples"], dtype=np.float32)
    cropped = crop_reference(wave, case["ref_samples"], case["vae_hop"], case["sr"])
    assert len(cropped) == case["decoded_samples"] - case["crop_start"]
    assert cropped[0] == 0.0 and cropped[case["fade_samples"] - 1] == 1.0 and (np.diff(cropped) >= 0).all()


def test_spoken_spans_are_what_is_said() -> None:
    for prompt, said in [
        (prompts.speech("open the gate", "male"), ["open the gate"]),
        (prompts.speech_over('the "red" door', "female", "rain"), ["the 'red' door"]),
        (prompts.cloned_speech("hello there.", "go north"), ["hello there, go north"]),
        (prompts.edit_speech('Change speech to "stop"'), ["stop"]),
        (prompts.audio("a dog barking"), []),
        (prompts.audio('a "beep"'), []),
        (prompts.edit_scene('Replace "rain" with "wind"'), []),
        (prompts.speech_over("go", "male", 'a "beep"'), ["go"]),
    ]:
        assert [prompt[start:end] for start, end in prompts.spoken_spans(prompt)] == said


def test_timeline_prompt() -> None:
    events = [prompts.Event(0, 2.04, "footsteps on gravel"), prompts.Event(2.5, 3.5, "a door slams.")]
    assert conditioning.timeline(events, 4.0).prompt == (
        "[Audio] From 0.0s to 2.0s, footsteps on gravel. From 2.5s to 3.5s, a door slams."
    )


def test_cloned_line_follows_its_reference() -> None:
    made = conditioning.voice_clone("go", "stop", np.ones(24_000, np.float32), 2.0, NANO)
    assert made.mask is Mask.REFERENCE and made.source is not None
    assert len(made.source) == 26_400 and made.seconds == pytest.approx(3.1)


def test_layout_names_what_is_wrong() -> None:
    assert NANO.frames(NANO.samples(1.0)) == 25 and NANO.frames(961) == 2
    with pytest.raises(BadArguments, match=r"-1.*over 0"):
        NANO.samples(-1.0)
    with pytest.raises(TooLarge, match=r"12 s.*10 s"):
        NANO.samples(12.0)
