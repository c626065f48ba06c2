"""The prompt grammar: what the language model reads for each task.

Tags and word order follow UNISON (arXiv 2605.31530); training and serving build every prompt here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_VOICE_TAG = "[Speech with voice] "
_SPEECH_TAG = "[Speech] "
_SPEECH_EDIT_TAG = "[Edit] [Speech] "
_QUOTED = re.compile(r'"([^"]*)"')
# What `timeline` writes.
_TIMES = re.compile(r"From (\d+\.\d)s to (\d+\.\d)s, ")
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff]")
_TRAILING = " \t\r\n.,!?;:-\"'…。，！？；：、—“”‘’"  # noqa: RUF001 (the CJK marks are meant)


@dataclass(frozen=True)
class Event:
    """A sound placed in time; `start` and `end` in seconds from the beginning of the clip."""

    start: float
    end: float
    caption: str


def audio(caption: str) -> str:
    """A sound described in words."""
    return f"[Audio] {caption.strip()}"


def speech(text: str, gender: str, manner: str = "voice saying") -> str:
    """A line spoken by a described voice; `gender` is "female" or "male", `manner` who speaks and how."""
    return f"{_SPEECH_TAG}A {gender} {manner} {quote(text)}"


def speech_over(text: str, gender: str, background: str, manner: str = "voice saying") -> str:
    """A spoken line over a described background."""
    return f"{speech(text, gender, manner)} {audio(background)}"


def timeline(events: Sequence[Event]) -> str:
    """Events with start and end times, told in order with one decimal."""
    told = " ".join(f"From {e.start:.1f}s to {e.end:.1f}s, {e.caption.strip().rstrip('.')}." for e in events)
    return f"[Audio] {told}"


def cloned_speech(transcript: str, text: str) -> str:
    """The words of the reference recording followed by the words to be spoken in its voice."""
    return _VOICE_TAG + join_transcripts(transcript, text)


def edit_scene(instruction: str) -> str:
    """An instruction that adds, removes or replaces a sound."""
    return f"[Edit] [Audio] {instruction.strip()}"


def edit_speech(instruction: str) -> str:
    """An instruction that changes the speech of a recording, or cleans it."""
    return f"{_SPEECH_EDIT_TAG}{instruction.strip()}"


def join_transcripts(transcript: str, text: str) -> str:
    """Join reference and target words with a comma, full-width where either side is Chinese, Japanese or Korean.

    Closing punctuation of the reference is dropped first, so that the voice runs on into the new words.
    """
    head, tail = transcript.strip().rstrip(_TRAILING), text.strip()
    if not head or not tail:
        return head or tail
    return f"{head}，{tail}" if _CJK.search(head + tail) else f"{head}, {tail}"  # noqa: RUF001


def spoken_spans(prompt: str) -> list[tuple[int, int]]:
    """Character ranges (start, end) of a prompt that are to be spoken aloud.

    These are the words of a cloned voice, the quotations of an edit of speech, and of other speech the first, as a
    background may have its own. What a caption quotes is not spoken.
    """
    if prompt.startswith(_VOICE_TAG):
        return [(len(_VOICE_TAG), len(prompt))]
    quoted = [match.span(1) for match in _QUOTED.finditer(prompt)]
    if prompt.startswith(_SPEECH_EDIT_TAG):
        return quoted
    return quoted[:1] if prompt.startswith(_SPEECH_TAG) else []


def timed_spans(prompt: str) -> list[tuple[int, int, float, float]]:
    """Character ranges (first, last) of a prompt that tell of one event each, with its start and end in seconds."""
    found = list(_TIMES.finditer(prompt))
    edges = [*(match.start() for match in found), len(prompt)]
    return [(match.start(), end, float(match[1]), float(match[2])) for match, end in zip(found, edges[1:], strict=True)]


def quote(text: str) -> str:
    """Words that are to be spoken aloud, as instructions and prompts hold them."""
    # A double quote inside the line would end the spoken span early.
    return '"' + text.strip().replace('"', "'") + '"'
