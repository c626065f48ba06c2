"""Recipes of the nine editing sub-tasks of UNISON (arXiv 2605.31530).

Every edit names its source and its target; what is in both is the kept stem, the same sound at the same place.
"""

from __future__ import annotations

from dataclasses import replace

from unison_engine import prompts
from unison_engine.conditioning import Mask
from unison_train.synthesis import instructions
from unison_train.synthesis.pieces import Pieces, Rng, choose, power_sum
from unison_train.synthesis.recipe import Placement, Recipe, decibels

Mix = tuple[Placement, ...]


def edit_add(pieces: Pieces, words: Rng, sound: Rng) -> Recipe:
    """A scene becomes the scene with one more sound."""
    scene, event, caption = _scene_and_event(pieces, words, sound)
    prompt = prompts.edit_scene(choose(instructions.ADD, words).format(x=caption))
    return _edit(pieces, "edit_add", prompt, scene, (*scene, event), sound)


def edit_remove(pieces: Pieces, words: Rng, sound: Rng) -> Recipe:
    """The other way round."""
    scene, event, caption = _scene_and_event(pieces, words, sound)
    prompt = prompts.edit_scene(choose(instructions.REMOVE, words).format(x=caption))
    return _edit(pieces, "edit_remove", prompt, (*scene, event), scene, sound)


def edit_remove_add(pieces: Pieces, words: Rng, sound: Rng) -> Recipe:
    """One sound of a scene gives way to another, told as one instruction or as two."""
    old = pieces.event(words)
    new = pieces.event(words, old)
    samples = pieces.scene_samples(sound)
    scene = pieces.scene(samples, sound, old, new)
    stems = [_event(pieces, caption, scene, samples, sound) for caption in (old, new)]
    # The new sound comes in the place of the old one.
    stems[1] = replace(stems[1], start=min(stems[0].start, samples - stems[1].length))
    scene = pieces.overheard(scene, samples, sound)
    whole = [(wording,) for wording in instructions.REPLACE]
    steps = choose(instructions.REPLACE_STEPS if words.random() < 0.5 else whole, words)
    prompt = " ".join(prompts.edit_scene(step.format(x=old, y=new)) for step in steps)
    return _edit(pieces, "edit_remove_add", prompt, (*scene, stems[0]), (*scene, stems[1]), sound)


def edit_speech_insert(pieces: Pieces, words: Rng, sound: Rng) -> Recipe:
    """A scene becomes the scene with speech."""
    gender, text = line = pieces.line(pieces.talk(words, sound))
    speech, scene = _line_in_scene(pieces, pieces.utterance(line, sound), sound)
    wording = choose(instructions.INSERT_SPEECH, words)
    prompt = prompts.edit_speech(wording.format(gender=gender, line=prompts.quote(text)))
    return _edit(pieces, "edit_speech_insert", prompt, scene, (*scene, speech), sound, speech)


def speech_delete(pieces: Pieces, words: Rng, sound: Rng) -> Recipe:
    """Speech in a scene becomes the scene alone."""
    speech, scene = _line_in_scene(pieces, pieces.utterance(pieces.line(sound), sound), sound)
    prompt = prompts.edit_speech(choose(instructions.DELETE_SPEECH, words))
    return _edit(pieces, "speech_delete", prompt, (*scene, speech), scene, sound)


def edit_speech_content(pieces: Pieces, words: Rng, sound: Rng) -> Recipe:
    """The same speaker in the same scene says something else."""
    old, new = pieces.two_lines(pieces.talk(words, sound))
    prompt = prompts.edit_speech(
        choose(instructions.REWRITE_SPEECH, words).format(line=prompts.quote(pieces.text(new)))
    )
    return _respoken(pieces, "edit_speech_content", prompt, old, new, sound)


def edit_srap(pieces: Pieces, words: Rng, sound: Rng) -> Recipe:
    """Speech replaced, audio preserved: another speaker says another line in the same scene."""
    gender, text = line = pieces.line(pieces.talk(words, sound))
    new, old = pieces.utterance(line, sound), pieces.utterance(pieces.line(sound), sound)
    for _ in range(8):
        if pieces.bank.clips[old].speaker != pieces.bank.clips[new].speaker:
            break
        old = pieces.utterance(pieces.line(sound), sound)
    wording = choose(instructions.REPLACE_SPEECH, words)
    prompt = prompts.edit_speech(wording.format(gender=gender, line=prompts.quote(text)))
    return _respoken(pieces, "edit_srap", prompt, old, new, sound)


def edit_arsp(pieces: Pieces, words: Rng, sound: Rng) -> Recipe:
    """Audio replaced, speech preserved: the same line over another background."""
    old = pieces.background(words)
    new = pieces.background(words, old)
    clip = pieces.utterance(pieces.line(sound), sound)
    speech, samples = pieces.spoken(clip, sound)
    beds = []
    for caption in (old, new):
        gain = 1.0 / pieces.gain(pieces.settings.speech_snr_db, sound)
        beds.append(pieces.layer(pieces.sound(caption, sound), samples, gain, sound))
    prompt = prompts.edit_scene(choose(instructions.REPLACE_BACKGROUND, words).format(x=old, y=new))
    return _edit(pieces, "edit_arsp", prompt, (speech, beds[0]), (speech, beds[1]), sound)


def denoise(pieces: Pieces, words: Rng, sound: Rng) -> Recipe:
    """Speech in noise becomes the speech alone."""
    clip = pieces.utterance(pieces.line(sound), sound)
    speech, samples = pieces.spoken(clip, sound)
    noise = pieces.bed(samples, 1.0 / pieces.gain(pieces.settings.denoise_snr_db, sound), sound)
    prompt = prompts.edit_speech(choose(instructions.DENOISE, words))
    return _edit(pieces, "denoise", prompt, (speech, noise), (speech,), sound)


def _edit(
    pieces: Pieces, task: str, prompt: str, source: Mix, target: Mix, sound: Rng, said: Placement | None = None
) -> Recipe:
    gain = decibels(sound.uniform(-pieces.settings.gain_db, pieces.settings.gain_db))
    samples = max(placement.start + placement.length for placement in (*source, *target))
    lines = () if said is None else (pieces.said(said),)
    return Recipe(prompt, samples, target, source, Mask.EDIT, room=pieces.room(task, sound), gain=gain, lines=lines)


def _scene_and_event(pieces: Pieces, words: Rng, sound: Rng) -> tuple[Mix, Placement, str]:
    """A scene, a sound that is not in it, and its caption; only the caption is fixed by `words`."""
    caption = pieces.event(words)
    samples = pieces.scene_samples(sound)
    scene = pieces.scene(samples, sound, caption)
    event = _event(pieces, caption, scene, samples, sound)
    return pieces.overheard(scene, samples, sound), event, caption


def _event(pieces: Pieces, caption: str, scene: Mix, samples: int, sound: Rng) -> Placement:
    gain = power_sum(scene) * pieces.gain(pieces.settings.edit_snr_db, sound)
    return pieces.layer(pieces.sound(caption, sound), samples, gain, sound)


def _line_in_scene(pieces: Pieces, clip: int, sound: Rng) -> tuple[Placement, Mix]:
    """A line and a scene around it."""
    speech, samples = pieces.spoken(clip, sound)
    scene = pieces.scene(samples, sound)
    return _over(pieces, speech, scene, sound), scene


def _over(pieces: Pieces, speech: Placement, scene: Mix, sound: Rng) -> Placement:
    """The line, as much louder than the scene as the settings say."""
    return replace(speech, gain=power_sum(scene) * pieces.gain(pieces.settings.speech_snr_db, sound))


def _respoken(pieces: Pieces, task: str, prompt: str, old: int, new: int, sound: Rng) -> Recipe:
    """One line gives way to another, as loud and from the same moment on."""
    longer = max(old, new, key=pieces.bank.samples)
    speech, samples = pieces.spoken(longer, sound)
    scene = pieces.scene(samples, sound)
    gain = _over(pieces, speech, scene, sound).gain
    before, after = (pieces.whole(clip, speech.start, gain) for clip in (old, new))
    return _edit(pieces, task, prompt, (*scene, before), (*scene, after), sound, after)
