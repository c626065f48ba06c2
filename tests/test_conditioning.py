"""What requests become; what is done to a voice reference is checked by `tests/vector_checks.py`."""

from __future__ import annotations

import numpy as np
import pytest

from unison_engine import conditioning, prompts
from unison_engine.conditioning import Mask
from unison_engine.errors import BadArguments, TooLarge
from unison_engine.layout import LatentLayout

NANO = LatentLayout(sample_rate=24_000, hop=960, channels=32, max_seconds=10.0)


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


def test_a_timeline_tells_when_each_event_is() -> None:
    events = [prompts.Event(0, 2.04, "footsteps on gravel"), prompts.Event(2.5, 3.5, "a door slams.")]
    assert conditioning.timeline(events, 4.0).prompt == (
        "[Audio] From 0.0s to 2.0s, footsteps on gravel. From 2.5s to 3.5s, a door slams."
    )


def test_cloned_line_follows_its_reference() -> None:
    made = conditioning.voice_clone("go", "stop", np.ones(24_000, np.float32), 2.0, NANO)
    assert made.mask is Mask.REFERENCE and made.source is not None
    assert len(made.source) == 26_400 and made.seconds == pytest.approx(3.1)


def test_a_layout_counts_frames_and_names_what_is_wrong() -> None:
    assert NANO.frames(NANO.samples(1.0)) == 25 and NANO.frames(961) == 2
    with pytest.raises(BadArguments, match=r"-1.*over 0"):
        NANO.samples(-1.0)
    with pytest.raises(TooLarge, match=r"12 s.*10 s"):
        NANO.samples(12.0)
