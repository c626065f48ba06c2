"""Recipes of the six generation sub-tasks of UNISON (arXiv 2605.31530)."""

from __future__ import annotations

from unison_engine import prompts
from unison_engine.conditioning import REFERENCE_TAIL_SECONDS, Mask
from unison_engine.errors import BadArguments
from unison_engine.prompts import Event
from unison_train.synthesis import instructions
from unison_train.synthesis.pieces import TRIES, Pieces, Rng, choose
from unison_train.synthesis.recipe import Placement, Recipe

_REFERENCE_SECONDS = (1.0, 3.0)
_CONTINUATION_SECONDS = 0.6
_MAX_EVENTS = 5
_SINGLE_SECONDS = 2.5
_LASTING_SECONDS = (0.8, 4.0)
# Beyond this many characters of captions a prompt may be longer than the network reads.
_MAX_CAPTIONS = 160


def t2a_single(pieces: Pieces, words: Rng, sound: Rng) -> Recipe:
    """One sound and its caption."""
    caption = pieces.caption(words)
    clip = pieces.sound(caption, sound)
    if pieces.bank.steady(clip) and sound.random() < pieces.settings.fill_share:
        samples = pieces.scene_samples(sound)
        placement = pieces.filling(clip, samples, 1.0, sound)
    else:
        placement = pieces.whole(clip)
        samples = pieces.window(placement.length, sound)
    return Recipe(prompts.audio(caption), samples, (placement,))


def t2a_mix(pieces: Pieces, words: Rng, sound: Rng) -> Recipe:
    """Two sounds at once."""
    first = pieces.caption(words)
    second = pieces.caption(words, first)
    joiner = choose(instructions.JOINERS, words)
    samples = pieces.scene_samples(sound)
    layers = (
        pieces.layer(pieces.sound(first, sound), samples, 1.0, sound),
        pieces.layer(pieces.sound(second, sound), samples, pieces.gain(pieces.settings.edit_snr_db, sound), sound),
    )
    return Recipe(prompts.audio(first + joiner + second), samples, layers)


def t2a_timeline(pieces: Pieces, words: Rng, sound: Rng) -> Recipe:
    """Sounds at stated times: half a second apart, freely, or overlapping; some of two sounds at once."""
    settings = pieces.settings
    overlapping = words.random() < settings.overlap_share
    even = not overlapping and words.random() < settings.gap_share
    longest = pieces.limit / pieces.rate
    seconds = float(words.integers(min(3, int(longest)), int(longest) + 1))
    at = 0.0 if even else round(float(words.uniform(0.0, 1.0)), 1)
    events: list[Event] = []
    placements: list[Placement] = []
    told = 0
    while len(events) < _MAX_EVENTS and told < _MAX_CAPTIONS and at <= seconds - 0.5:
        captions = [pieces.caption(words, voiceless=True)]
        if words.random() < settings.joined_share:
            captions.append(pieces.caption(words, *captions, voiceless=True))
        natural = max(_natural(pieces, caption, words) for caption in captions)
        # A single event is heard to its end and is not cut by that of the clip, a lasting one is heard a while.
        single = natural < _SINGLE_SECONDS
        length = max(0.2, natural if single else min(natural, float(words.uniform(*_LASTING_SECONDS))))
        if single and events and at + length > seconds:
            break
        end = round(min(at + length, seconds), 1)
        events.append(Event(at, end, " and ".join(captions)))
        told += len(events[-1].caption)
        for caption in captions:
            clip = pieces.lasting(caption, round((end - at) * pieces.rate), sound)
            placements.append(_timed(pieces, clip, at, end, sound))
        gap = 0.5 if even else float(words.uniform(0.2, 1.5))
        at = round(at + float(words.uniform(0.3, 0.9)) * (end - at) if overlapping else end + gap, 1)
    return Recipe(prompts.timeline(events), round(seconds * pieces.rate), tuple(placements))


def tts(pieces: Pieces, words: Rng, sound: Rng) -> Recipe:
    """One utterance."""
    gender, text = line = pieces.line(pieces.talk(words, sound))
    placement, samples = pieces.spoken(pieces.utterance(line, sound), sound)
    return Recipe(prompts.speech(text, gender), samples, (placement,), lines=(pieces.said(placement),))


def zeroshotts(pieces: Pieces, words: Rng, sound: Rng) -> Recipe:
    """The rest of an utterance behind its beginning, or an utterance behind another one of the same speaker.

    Raises:
        BadArguments: no speaker has two short utterances, and no utterance is long enough to be cut in two.
    """
    words = pieces.talk(words, sound)
    makers = (_split, _pair) if words.random() < pieces.settings.split_share else (_pair, _split)
    for make in makers:
        for _ in range(TRIES):
            if recipe := make(pieces, words, sound):
                return recipe
    raise BadArguments(
        "zeroshotts needs speakers with two utterances of at most 3 s, or utterances of at least "
        f"{pieces.settings.split_seconds:g} s; add some, or give it a share of 0."
    )


def speech_audio_mix(pieces: Pieces, words: Rng, sound: Rng) -> Recipe:
    """A line over a background."""
    gender, text = line = pieces.line(pieces.talk(words, sound))
    background = pieces.background(words)
    manner = choose(instructions.MANNERS, words)
    speech, samples = pieces.spoken(pieces.utterance(line, sound), sound)
    gain = 1.0 / pieces.gain(pieces.settings.mixed_snr_db, sound)
    bed = pieces.layer(pieces.sound(background, sound), samples, gain, sound)
    prompt = prompts.speech_over(text, gender, background, manner)
    room = pieces.room("speech_audio_mix", sound)
    return Recipe(prompt, samples, (speech, bed), room=room, lines=(pieces.said(speech),))


def _split(pieces: Pieces, words: Rng, sound: Rng) -> Recipe | None:
    """An utterance cut hard at any sample, or where the engine would cut it."""
    clip = choose(pieces.bank.by_speaker[pieces.speaker(words)], words)
    samples, rate = pieces.bank.samples(clip), pieces.rate
    shortest, longest = (round(seconds * rate) for seconds in _REFERENCE_SECONDS)
    longest = min(longest, samples - round(_CONTINUATION_SECONDS * rate))
    if not max(shortest, pieces.settings.split_seconds * rate) <= samples <= pieces.limit or longest < shortest:
        return None
    reference = pieces.bank.reference(clip)
    if reference > longest or sound.random() < 0.5:
        reference = int(sound.integers(shortest, longest + 1))
    prompt = prompts.cloned_speech("", pieces.text(clip))
    target = (pieces.whole(clip),)
    lines = (pieces.said(target[0]),)
    return Recipe(prompt, pieces.after(samples, sound), target, target, Mask.REFERENCE, reference, lines=lines)


def _pair(pieces: Pieces, words: Rng, sound: Rng) -> Recipe | None:
    """Two utterances, the first one short enough for the engine to take it whole."""
    said, new = pieces.two_lines(words)
    first, second = pieces.bank.samples(said), pieces.bank.samples(new)
    reference = first + round(REFERENCE_TAIL_SECONDS * pieces.rate)
    if (
        pieces.bank.reference(said) < first
        or reference + second > pieces.limit
        or pieces.text(said) == pieces.text(new)
    ):
        return None
    prompt = prompts.cloned_speech(pieces.text(said), pieces.text(new))
    source = (pieces.whole(said),)
    target = (*source, pieces.whole(new, reference))
    samples = pieces.after(reference + second, sound)
    lines = tuple(map(pieces.said, target))
    return Recipe(prompt, samples, target, source, Mask.REFERENCE, reference, lines=lines)


def _natural(pieces: Pieces, caption: str, words: Rng) -> float:
    """How long one of the sounds with a caption is heard, in seconds."""
    start, end = pieces.bank.active(choose(pieces.bank.by_caption[caption], words))
    return (end - start) / pieces.rate


def _timed(pieces: Pieces, clip: int, at: float, end: float, sound: Rng) -> Placement:
    """A sound that sets in at `at` and is over by `end`, both in seconds."""
    start, stop = pieces.bank.active(clip)
    length = min(round((end - at) * pieces.rate), stop - start)
    offset = pieces.excerpt(clip, length, sound) if pieces.bank.steady(clip) else start
    gain = pieces.gain(pieces.settings.edit_snr_db, sound)
    return Placement(clip, offset, round(at * pieces.rate), length, gain, pieces.edge)
