"""Wordings of edit instructions; `{x}` and `{y}` stand for captions, `{text}` for spoken words."""

from __future__ import annotations

ADD = (
    "Add {x}.",
    "Mix in the sound of {x}.",
    "Add the sound of {x} to the background.",
    "Put {x} into the scene.",
)
REMOVE = (
    "Remove {x}.",
    "Remove the sound of {x}.",
    "Eliminate the sound of {x}.",
    "Take out {x}.",
)
REPLACE = (
    "Replace {x} with {y}.",
    "Swap the sound of {x} for {y}.",
    "Eliminate the sound of {x}. [Edit] [Audio] Add {y}.",
)
INSERT_SPEECH = (
    'Add a {gender} voice saying "{text}"',
    'Add a voice saying "{text}"',
    'Insert a {gender} voice that says "{text}"',
)
DELETE_SPEECH = (
    "Remove the speech.",
    "Remove the speech; keep the background sounds.",
    "Delete the voice.",
    "Take out the talking and keep the rest.",
)
REWRITE_SPEECH = (
    'Change speech to "{text}"',
    'Alter the spoken content to "{text}"',
    'Make the voice say "{text}" instead.',
)
DENOISE = (
    "Denoise the record.",
    "Remove the noise.",
    "Clean up the recording.",
)
