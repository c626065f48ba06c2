"""What of the synthesis a recipe may set; the defaults lie around the levels of UNISON's test sets."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from unison_train.synthesis.tasks import ROOM_TASKS


def _ordered(limits: tuple[float, float]) -> tuple[float, float]:
    if limits[0] > limits[1]:
        raise ValueError(f"the range {limits} ends before it starts; give the lower limit first")
    return limits


Range = Annotated[tuple[float, float], AfterValidator(_ordered)]
Share = Annotated[float, Field(ge=0, le=1)]
Seconds = Annotated[float, Field(ge=0)]


class Synthesis(BaseModel):
    """Levels, lengths and places of what is mixed.

    Signal-to-noise ratios are drawn evenly from their range in dB, between active parts (see `render`). UNISON (arXiv
    2605.31530) tests at -3 to 3 dB in audio edits, 0 dB in mixed generation and 10 dB for speech in a scene.

    Attributes:
        edit_snr_db: event over scene, and layers of a scene against each other.
        mixed_snr_db: speech over background in `speech_audio_mix`.
        speech_snr_db: speech over background in speech edits.
        denoise_snr_db: speech over noise in `denoise`.
        scene_seconds: length of a scene.
        layered_share: share of edited scenes that consist of two sounds.
        brief_share: share of edits of scenes whose sound is drawn from the brief ones: most of what comes and goes is.
        overheard_share: share of scenes of `edit_add`, `edit_remove` and `edit_remove_add` in which somebody speaks, if
            there is room; no word of it is in the prompt, and it has to be kept.
        long_share: share of generated sounds that are followed by much silence, up to the longest tuple.
        fill_share: share of steady sounds in `t2a_single` that last as long as the tuple, repeated if need be.
        late_share: share of lines that do not start at once.
        lead_in_seconds: how late those start at most.
        split_share: share of `zeroshotts` tuples made from one utterance that is cut in two, the others are made from
            two utterances of a speaker.
        split_seconds: shortest utterance that is cut in two.
        overlap_share: share of timelines whose events may overlap.
        gap_share: share of the other timelines with half a second between events.
        joined_share: share of timed events that are two sounds at once.
        room_share: share of tuples of `room_tasks` that are heard in a room.
        room_seconds: reverberation time, in which the tail falls by 60 dB.
        room_direct_db: energy of the direct sound over that of the tail.
        room_tasks: sub-tasks that are heard in a room, of `ROOM_TASKS`.
        gain_db: the level of an edit's source and target is varied by up to this much.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    edit_snr_db: Range = (-3.0, 3.0)
    mixed_snr_db: Range = (-3.0, 3.0)
    speech_snr_db: Range = (5.0, 15.0)
    denoise_snr_db: Range = (-5.0, 30.0)
    scene_seconds: Range = (2.0, 8.0)
    layered_share: Share = 0.5
    brief_share: Share = 0.5
    overheard_share: Share = 0.25
    long_share: Share = 0.2
    fill_share: Share = 0.9
    late_share: Share = 0.3
    lead_in_seconds: Seconds = 3.0
    split_share: Share = 0.5
    split_seconds: Seconds = 2.0
    overlap_share: Share = 0.25
    gap_share: Share = 0.5
    joined_share: Share = 0.1
    room_share: Share = 0.25
    room_seconds: Range = (0.1, 0.7)
    room_direct_db: Range = (0.0, 12.0)
    room_tasks: tuple[str, ...] = ROOM_TASKS
    gain_db: Annotated[float, Field(ge=0, le=12)] = 1.5
