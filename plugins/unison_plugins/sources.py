"""The recording that an edit starts from."""

from __future__ import annotations

from unison_engine.audio import Wave, rms_normalise
from unison_engine.errors import TooLarge
from unison_engine.tasks import TaskContext


def edit_source(recording: str, context: TaskContext) -> Wave:
    """Samples of the whole recording, RMS-normalised.

    Raises:
        TooLarge: it is longer than the model edits in one piece.
    """
    layout = context.layout
    wave = context.audio(recording)
    seconds = len(wave) / layout.sample_rate
    if seconds > layout.max_seconds:
        raise TooLarge(
            f"{recording!r} lasts {seconds:.2f} s and this model edits at most {layout.max_seconds:g} s; "
            "cut out the part to be edited."
        )
    return rms_normalise(wave)
