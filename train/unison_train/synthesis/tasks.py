"""Names of the sub-tasks and how often each is trained."""

from __future__ import annotations

GENERATION_TASKS = ("t2a_single", "t2a_mix", "t2a_timeline", "tts", "zeroshotts", "speech_audio_mix")
EDIT_TASKS = (
    "edit_add",
    "edit_remove",
    "edit_remove_add",
    "edit_speech_insert",
    "edit_speech_content",
    "edit_arsp",
    "edit_srap",
    "speech_delete",
    "denoise",
)
TASKS = GENERATION_TASKS + EDIT_TASKS
ROOM_TASKS = ("speech_audio_mix", *EDIT_TASKS)
"""Those that may be heard in a room. No prompt mentions one, so other generation is left dry."""

PUBLISHED_SHARES = {
    "tts": 0.15,
    "zeroshotts": 0.25,
    "t2a_single": 0.10,
    "t2a_mix": 0.08,
    "speech_audio_mix": 0.08,
    "t2a_timeline": 0.04,
    "edit_add": 0.04,
    "edit_remove": 0.04,
    "edit_speech_insert": 0.04,
    "edit_remove_add": 0.03,
    "edit_speech_content": 0.04,
    "edit_arsp": 0.02,
    "edit_srap": 0.02,
    "speech_delete": 0.03,
    "denoise": 0.04,
}
"""Share of all batches in the joint stage, as published with UNISON (arXiv 2605.31530)."""
