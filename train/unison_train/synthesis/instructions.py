"""Wordings: how people ask for an edit, and how prompts introduce a speaker.

`{x}` and `{y}` stand for captions, `{line}` for quoted words, `{gender}` for female or male. They are our own, but for
those that UNISON's publications show.
"""

from __future__ import annotations

MANNERS = (
    "voice saying",
    "voice saying",
    "speaker is saying:",
    "voice says:",
    "voice reads:",
    "announcer says:",
    "announcer is saying",
    "speaker says",
    "narrator reads",
    "voice announces",
)
"""Between the gender and the words of a line; the first, which is what the engine itself writes, twice as often."""

JOINERS = (" and ", " and ", " with ", ", then also ", " over ", " together with ")
"""Between the captions of two sounds at once."""

ADD = (
    "Add {x}.",
    "Add {x} to the background.",
    "Mix in the sound of {x}.",
    "Add the sound of {x}.",
    "Put {x} into the scene.",
    "Layer {x} on top.",
    "I want to hear {x} as well.",
    "Insert {x}.",
    "Bring in {x}, leave everything else alone.",
    "Now with {x}.",
    "add {x}",
)
REMOVE = (
    "Remove {x}.",
    "Remove the sound of {x}.",
    "Eliminate the sound of {x}.",
    "Take out {x}.",
    "Get rid of {x}.",
    "Delete {x} and keep the rest.",
    "Cut {x} from the recording.",
    "No more {x}.",
    "The same without {x}.",
    "Mute {x}.",
    "remove {x}",
)
REPLACE = (
    "Replace {x} with {y}.",
    "Swap the sound of {x} for {y}.",
    "Turn {x} into {y}.",
    "Change {x} to {y}.",
    "Use {y} instead of {x}.",
    "Exchange {x} for {y}, keep the rest.",
    "Instead of {x} I want {y}.",
    "Make it {y}, not {x}.",
    "replace {x} with {y}",
)
REPLACE_STEPS = (
    ("Eliminate the sound of {x}.", "Add {y}."),
    ("Remove {x}.", "Add {y}."),
    ("Remove the sound of {x}.", "Mix in the sound of {y}."),
    ("Take out {x}.", "Put {y} into the scene."),
)
"""The same as two instructions, one after the other."""

INSERT_SPEECH = (
    "Add a voice saying {line}",
    "Add a {gender} voice saying {line}",
    "Insert a {gender} voice that says {line}",
    "Let a {gender} speaker say {line}",
    "Put a {gender} voice over it: {line}",
    "Add speech: {line}",
    "Someone should say {line}",
    "Lay a {gender} voice-over on top, saying {line}",
    "Have a {gender} announcer read {line}",
    "Over this, a {gender} voice says {line}",
    "add a {gender} voice saying {line}",
)
DELETE_SPEECH = (
    "Remove the speech.",
    "Remove the speech; keep the background sounds.",
    "Delete the voice.",
    "Take out the talking and keep the rest.",
    "Get rid of the speaker.",
    "Mute the voice, leave the ambience.",
    "Only keep the background.",
    "No speech, just the background sounds.",
    "Cut the dialogue.",
    "Strip the vocals from the recording.",
    "remove the voice",
    "Remove the dialogue.",
    "Delete the spoken words.",
    "Nobody should be talking.",
    "Leave only the background sounds.",
    "Silence the speaker.",
    "Erase the narration.",
    "Keep the ambience without the talking.",
    "Take the person's voice out of the scene.",
    "I do not want to hear anyone speak.",
    "The background alone, without the voice.",
    "mute the speech",
)
REWRITE_SPEECH = (
    "Change speech to {line}",
    "Alter the spoken content to {line}",
    "Make the voice say {line} instead.",
    "The same voice should say {line}",
    "Replace the words with {line}",
    "Rewrite the line as {line}",
    "Let the speaker say {line} instead.",
    "Change what is said to {line}",
    "Swap the line for {line}",
    "New text for the same speaker: {line}",
    "change the words to {line}",
)
REPLACE_BACKGROUND = (
    "Replace the background with {y} and keep the speech.",
    "Keep the voice, change the background to {y}.",
    "Swap {x} for {y}, leave the speech as it is.",
    "Replace {x} behind the voice with {y}.",
    "The same line, but with {y} in the background.",
    "Put the speaker somewhere else: {y} instead of {x}.",
    "Change the ambience to {y}; do not touch the dialogue.",
    "New background: {y}. The voice stays.",
    "Take away {x} behind the speaker and put in {y}.",
    "Keep what is said and let it happen with {y} around it.",
    "replace the background with {y}, keep the speech",
)
REPLACE_SPEECH = (
    "Replace the speech with a {gender} voice saying {line} and keep the background.",
    "Keep the background, let another speaker say {line}",
    "Swap the speaker for a {gender} voice that says {line}",
    "Someone else, {gender}, says {line}; the background stays.",
    "Take out the voice and put in a {gender} one saying {line}",
    "Recast the line: a {gender} voice says {line}",
    "Leave the ambience alone, but now a {gender} voice says {line}",
    "Change the speaker to a {gender} voice saying {line}",
    "Use a different {gender} voice: {line}",
    "Replace the dialogue with a new {gender} speaker: {line}",
    "replace the voice with a {gender} voice saying {line}",
)
DENOISE = (
    "Denoise the record.",
    "Remove the noise.",
    "Clean up the recording.",
    "Denoise the speech.",
    "Take the noise out of the recording.",
    "Only keep the voice.",
    "Isolate the speech.",
    "Make the voice clean.",
    "Get rid of the background noise.",
    "Remove everything but the speaker.",
    "denoise",
    "Remove the background noise.",
    "Keep only the speech.",
    "Noise reduction, please.",
    "Clean the dialogue.",
    "No background, just the voice.",
    "Remove the background and keep the speaker.",
    "Mute everything behind the speaker.",
    "Take the sounds behind the voice away.",
    "I only want to hear the person speak.",
    "The voice alone, without the background.",
    "reduce the noise",
)
