"""Which sub-tasks a set of clips can serve."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from unison_train.corpus.manifest import Clip
from unison_train.synthesis.settings import Synthesis
from unison_train.synthesis.tasks import TASKS

# An utterance that is no longer is a voice reference as it is.
_REFERENCE_SECONDS = 3.0


def served_tasks(clips: Sequence[Clip], max_seconds: float, settings: Synthesis) -> tuple[str, ...]:
    """The sub-tasks of which these clips can make every tuple, in the order of `TASKS`.

    Mixtures and edits need sounds that are told apart by their captions, `tts` lines with a gender, the cloning of
    voices speakers with lines enough, and speech in a scene both sounds and speech. A line is never cut, so one that
    is longer than a tuple serves nothing.
    """
    clips = [clip for clip in clips if clip.kind == "sound" or clip.seconds <= max_seconds]
    sounds = len({clip.label or clip.captions for clip in clips if clip.captions})
    voices = {clip.speaker for clip in clips if clip.transcript and clip.gender}
    lines: dict[str, list[Clip]] = defaultdict(list)
    for clip in clips:
        if clip.transcript and clip.speaker is not None:
            lines[clip.speaker].append(clip)
    respoken = any(len({clip.transcript for clip in spoken}) > 1 for spoken in lines.values())
    serves = {
        "t2a_single": sounds > 0,
        "t2a_mix": sounds > 1,
        "t2a_timeline": sounds > 0,
        "tts": bool(voices),
        "zeroshotts": _clones(list(lines.values()), max_seconds, settings.split_seconds),
        "speech_audio_mix": bool(voices) and sounds > 0,
        "edit_add": sounds > 1,
        "edit_remove": sounds > 1,
        "edit_remove_add": sounds > 2,
        "edit_speech_insert": bool(voices) and sounds > 0,
        "edit_speech_content": respoken and sounds > 0,
        "edit_arsp": bool(voices) and sounds > 1,
        "edit_srap": len(voices) > 1 and sounds > 0,
        "speech_delete": bool(voices) and sounds > 0,
        "denoise": bool(voices) and sounds > 0,
    }
    return tuple(task for task in TASKS if serves[task])


def _clones(speakers: Sequence[Sequence[Clip]], max_seconds: float, split_seconds: float) -> bool:
    """Whether most utterances can be cut in two, or be the reference of another one of the same speaker.

    Of fewer, a draw that tries several might find none.
    """
    spoken = [(clip, others) for others in speakers for clip in others]
    cut = [clip for clip, _ in spoken if split_seconds <= clip.seconds <= max_seconds]
    short = [
        clip
        for clip, others in spoken
        if clip.seconds <= _REFERENCE_SECONDS and any(clip.transcript != other.transcript for other in others)
    ]
    return 0 < len(spoken) <= 2 * max(len(cut), len(short))
