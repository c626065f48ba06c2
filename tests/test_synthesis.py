from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from tests.bank import CROWD, RATE, SPIKES, make_bank, tone, write_clips
from unison_engine import prompts
from unison_engine.conditioning import REFERENCE_TAIL_SECONDS, Mask
from unison_engine.errors import BadArguments
from unison_engine.layout import LatentLayout
from unison_train.corpus.manifest import Clip
from unison_train.synthesis import instructions
from unison_train.synthesis.bank import ClipBank
from unison_train.synthesis.recipes import EDIT_TASKS, TASKS, Composer, Recipe
from unison_train.synthesis.render import render
from unison_train.synthesis.settings import Synthesis

LAYOUT = LatentLayout(sample_rate=RATE, hop=960, channels=32, max_seconds=10.0)


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> ClipBank:
    return make_bank(tmp_path_factory.mktemp("clips"))


def draws(bank: ClipBank, task: str, count: int = 24, **settings: object) -> list[Recipe]:
    composer = Composer(bank, LAYOUT.max_seconds, Synthesis.model_validate(settings), silent=False)
    sound = np.random.default_rng(3)
    return [composer.draw(task, np.random.default_rng(seed), sound) for seed in range(count)]


@pytest.mark.parametrize("task", TASKS)
def test_every_task_renders(task: str, bank: ClipBank) -> None:
    recipes = draws(bank, task, 12)
    batch = render(recipes, bank, LAYOUT)
    frames = batch.valid.shape[1]
    assert batch.target.shape == (12, frames * LAYOUT.hop) and batch.mask.shape == (12, 1, frames)
    assert batch.target.isfinite().all() and batch.target.abs().amax(1).gt(0.005).all()
    assert (batch.source is not None) == (task in EDIT_TASKS or task == "zeroshotts")
    for recipe, valid in zip(recipes, batch.valid, strict=True):
        assert int(valid.sum()) == LAYOUT.frames(recipe.samples) <= 250
        assert all(placed.start + placed.length <= recipe.samples for placed in recipe.target + recipe.source)
    if task in EDIT_TASKS:
        assert batch.source is not None and not torch.equal(batch.source, batch.target)
        assert (batch.mask.squeeze(1)[batch.valid] == Mask.EDIT).all()


@pytest.mark.parametrize("task", TASKS)
def test_same_seeds_same_batch(task: str, bank: ClipBank) -> None:
    first, second = (render(draws(bank, task, 6, room_share=0.5), bank, LAYOUT) for _ in range(2))
    assert first.prompts == second.prompts and torch.equal(first.target, second.target)
    assert first.source is None or (second.source is not None and torch.equal(first.source, second.source))


@pytest.mark.parametrize("task", TASKS)
def test_same_words_same_prompt_other_sound(task: str, bank: ClipBank) -> None:
    composer = Composer(bank, LAYOUT.max_seconds, Synthesis(), silent=False)
    drawn = [composer.draw(task, np.random.default_rng(5), np.random.default_rng(sound)) for sound in range(8)]
    assert len({recipe.prompt for recipe in drawn}) == 1
    assert len({(recipe.target, recipe.samples) for recipe in drawn}) > 4


@pytest.mark.parametrize("task", EDIT_TASKS)
def test_an_edit_keeps_a_stem_and_changes_one(task: str, bank: ClipBank) -> None:
    kinds = {
        "edit_add": ("sound", "", "sound"),
        "edit_remove": ("sound", "sound", ""),
        "edit_remove_add": ("sound", "sound", "sound"),
        "edit_speech_insert": ("sound", "", "speech"),
        "edit_speech_content": ("sound", "speech", "speech"),
        "edit_arsp": ("speech", "sound", "sound"),
        "edit_srap": ("sound", "speech", "speech"),
        "speech_delete": ("sound", "speech", ""),
        "denoise": ("speech", "sound", ""),
    }
    for recipe in draws(bank, task):
        kept = set(recipe.source) & set(recipe.target)
        found = [kept, set(recipe.source) - kept, set(recipe.target) - kept]
        heard = [{bank.clips[placed.clip].kind for placed in placements} for placements in found]
        if task in ("edit_add", "edit_remove", "edit_remove_add"):
            heard[0].discard("speech")  # Somebody may be overheard.
        assert heard == [{kind} if kind else set() for kind in kinds[task]]
        old, new = (next(iter(placements), None) for placements in found[1:])
        if task == "edit_speech_content" and old and new:
            assert bank.clips[old.clip].speaker == bank.clips[new.clip].speaker
        if task == "edit_srap" and old and new:
            assert bank.clips[old.clip].speaker != bank.clips[new.clip].speaker
        # A scene that already holds what is added, removed or replaced has no right answer.
        changed = {caption for placed in found[1] | found[2] for caption in bank.clips[placed.clip].captions}
        assert changed.isdisjoint(caption for placed in kept for caption in bank.clips[placed.clip].captions)


def test_scenes_have_one_layer_or_two(bank: ClipBank) -> None:
    layers = [len(recipe.target) for recipe in draws(bank, "edit_remove", 40, overheard_share=0.0)]
    assert set(layers) == {1, 2} and 8 < layers.count(2) < 32
    assert {len(recipe.target) for recipe in draws(bank, "edit_remove", layered_share=0.0, overheard_share=0.0)} == {1}


@pytest.mark.parametrize("task", ["edit_add", "edit_remove", "edit_remove_add"])
def test_somebody_is_overheard_in_a_share_of_the_scenes_and_kept(task: str, bank: ClipBank) -> None:
    overheard = 0
    for recipe in draws(bank, task, 60, overheard_share=0.5):
        source, target = (
            {placed for placed in mix if bank.clips[placed.clip].kind == "speech"}
            for mix in (recipe.source, recipe.target)
        )
        assert source == target and not recipe.lines
        overheard += bool(source)
    assert 15 < overheard < 45


def test_sounds_with_pauses_are_backgrounds_too(bank: ClipBank) -> None:
    noises = {
        caption for recipe in draws(bank, "denoise", 60) for caption in bank.clips[recipe.source[1].clip].captions
    }
    assert SPIKES in noises and "rain" in noises and "a click" not in noises


def test_what_replaces_a_sound_comes_in_its_place(bank: ClipBank) -> None:
    for recipe in draws(bank, "edit_remove_add", 40):
        kept = set(recipe.source) & set(recipe.target)
        (old,), (new,) = (set(mix) - kept for mix in (recipe.source, recipe.target))
        assert new.start == min(old.start, recipe.samples - new.length)


def test_an_event_lies_anywhere_in_a_scene(bank: ClipBank) -> None:
    starts = []
    for recipe in draws(bank, "edit_add", 60):
        (event,) = set(recipe.target) - set(recipe.source)
        if bank.clips[event.clip].captions[0] in ("a click", "a bell"):
            starts.append(event.start / (recipe.samples - event.length))
            assert event.length == bank.samples(event.clip)
    assert min(starts) < 0.25 and max(starts) > 0.75


def test_an_excerpt_is_taken_where_the_clip_sounds(bank: ClipBank) -> None:
    burst = next(index for index, clip in enumerate(bank.clips) if clip.captions == ("a burst",))
    assert bank.active(burst) == (RATE // 2, RATE)
    pieces = Composer(bank, 10.0, Synthesis(), silent=False).pieces
    for seed in range(20):
        placed = pieces.within(burst, RATE // 4, 1.0, np.random.default_rng(seed))
        assert RATE // 2 <= placed.offset <= RATE - placed.length
        assert pieces.within(burst, RATE, 1.0, np.random.default_rng(seed)).offset == RATE // 2


def test_prompts_are_the_engine_s(bank: ClipBank) -> None:
    for recipe in draws(bank, "tts"):
        clip = bank.clips[recipe.target[0].clip]
        assert recipe.prompt == prompts.speech(clip.transcript or "", clip.gender or "")
    for recipe in draws(bank, "t2a_single"):
        assert recipe.prompt == prompts.audio(bank.clips[recipe.target[0].clip].captions[0])
    for recipe in draws(bank, "speech_audio_mix"):
        speech, bed = (bank.clips[placed.clip] for placed in recipe.target)
        told = (speech.transcript or "", speech.gender or "", bed.captions[0])
        assert recipe.prompt in {prompts.speech_over(*told, manner) for manner in instructions.MANNERS}
    for task in EDIT_TASKS:
        tag = (
            prompts.edit_scene
            if task in ("edit_add", "edit_remove", "edit_remove_add", "edit_arsp")
            else prompts.edit_speech
        )
        assert all(recipe.prompt.startswith(tag("")) for recipe in draws(bank, task))
    two = [recipe.prompt for recipe in draws(bank, "edit_remove_add") if recipe.prompt.count("[Edit] [Audio]") == 2]
    assert 4 < len(two) < 20


@pytest.mark.parametrize("task", ["tts", "edit_speech_insert", "edit_speech_content", "edit_srap", "speech_audio_mix"])
def test_words_to_be_spoken_are_found_in_the_prompt(task: str, bank: ClipBank) -> None:
    for recipe in draws(bank, task):
        (spoken,) = set(recipe.target) - set(recipe.source) - {p for p in recipe.target if bank.clips[p.clip].captions}
        ((start, end),) = prompts.spoken_spans(recipe.prompt)
        assert recipe.prompt[start:end] == (bank.clips[spoken.clip].transcript or "").replace('"', "'")
        (line,) = recipe.lines
        assert line.text == bank.clips[spoken.clip].transcript
        # These lines are tones, which sound from their first sample to their last.
        assert line.start == pytest.approx(spoken.start / RATE, abs=0.02)
        assert line.end == pytest.approx((spoken.start + bank.samples(spoken.clip)) / RATE, abs=0.02)
    for late, most in ((0.0, 0.0), (1.0, 0.5)):
        drawn = draws(bank, task, late_share=late, lead_in_seconds=most)
        starts = [p.start / RATE for r in drawn for p in r.target if bank.clips[p.clip].transcript]
        assert 0.5 * most <= max(starts) <= most


def test_words_that_the_language_model_does_not_read_leave_the_prompt_s_draw_alone(bank: ClipBank) -> None:
    for silent, expected in ((False, 1), (True, 8)):
        composer = Composer(bank, LAYOUT.max_seconds, Synthesis(), silent)
        drawn = [composer.draw("tts", np.random.default_rng(1), np.random.default_rng(seed)) for seed in range(60)]
        assert len({recipe.prompt for recipe in drawn}) == expected


def test_a_cloned_voice_speaks_behind_its_reference(bank: ClipBank) -> None:
    for recipe in draws(bank, "zeroshotts", split_share=0.0):
        said, new = recipe.lines
        assert prompts.cloned_speech(said.text, new.text) == recipe.prompt
        assert 0 <= said.start < said.end <= recipe.reference / RATE <= new.start < new.end <= recipe.samples / RATE
    for recipe in draws(bank, "zeroshotts", split_share=1.0):
        (line,) = recipe.lines
        assert line.start < recipe.reference / RATE < line.end


@pytest.mark.parametrize("task", ["speech_delete", "denoise", "edit_arsp"])
def test_lines_that_are_only_kept_or_removed_start_anywhere(task: str, bank: ClipBank) -> None:
    starts = [p.start for r in draws(bank, task) for p in r.source if bank.clips[p.clip].transcript]
    assert min(starts) == 0 and max(starts) > RATE
    assert not any(recipe.lines for recipe in draws(bank, task))


def test_every_wording_can_be_filled_in() -> None:
    names = {name: bank for name, bank in vars(instructions).items() if name.isupper()}
    for name, wordings in names.items():
        for wording in wordings:
            for part in wording if isinstance(wording, tuple) else (wording,):
                filled = part.format(x="rain", y="wind", line='"hi"', gender="male")
                assert filled.strip() and "{" not in filled, name
        if name not in ("MANNERS", "JOINERS", "REPLACE_STEPS"):
            assert len(set(wordings)) == len(wordings) >= 9, name


def test_speech_tasks_have_no_voices_behind_them(bank: ClipBank) -> None:
    assert CROWD in bank.captions and CROWD not in bank.voiceless
    for task in ("speech_audio_mix", "speech_delete", "edit_arsp", "denoise", "t2a_timeline"):
        for recipe in draws(bank, task):
            assert all(CROWD not in bank.clips[p.clip].captions for p in recipe.source + recipe.target)


def test_timelines_have_gaps_of_half_a_second_or_overlap(bank: ClipBank) -> None:
    for recipe in draws(bank, "t2a_timeline", overlap_share=0.0, gap_share=1.0):
        times = _times(recipe)
        assert all(later[0] == pytest.approx(end + 0.5) for (_, end), later in pairwise(times))
    overlapping = [_times(recipe) for recipe in draws(bank, "t2a_timeline", overlap_share=1.0)]
    assert any(later[0] < end for times in overlapping for (_, end), later in pairwise(times))
    joined = draws(bank, "t2a_timeline", joined_share=1.0)
    assert all(" and " in recipe.prompt for recipe in joined)
    every = [recipe for seed in range(4) for recipe in draws(bank, "t2a_timeline", 40)]
    assert max(recipe.samples for recipe in every) == 10 * RATE


def test_a_timed_event_is_heard_as_long_as_it_is_told(tmp_path: Path) -> None:
    """Knocks of 0.4 s and of 1.6 s share a caption: each comes whole, where its length is asked for."""
    rows = []
    for number, seconds in enumerate((0.4, 1.6)):
        soundfile.write(tmp_path / f"{number}.wav", tone(300 + 100 * number, seconds), RATE)
        rows.append(Clip(path=f"{number}.wav", seconds=seconds, captions=("a knock",), licence="CC0-1.0"))
    knocks = ClipBank(tmp_path, rows, RATE, torch.device("cpu"))
    found = draws(knocks, "t2a_timeline", 40, joined_share=0.0, overlap_share=0.0)
    placed = [one for recipe in found for one in recipe.target]
    assert {one.clip for one in placed} == {0, 1}
    for one in placed:
        assert one.length == pytest.approx(knocks.samples(one.clip), rel=0.15)


def test_most_of_what_comes_and_goes_is_brief(bank: ClipBank) -> None:
    def brief(share: float) -> float:
        recipes = draws(bank, "edit_add", 60, brief_share=share)
        events = [bank.clips[recipe.target[-1].clip].captions[0] for recipe in recipes]
        return sum(caption in bank.brief for caption in events) / len(events)

    assert brief(1.0) == 1.0 and brief(0.0) < 0.7


def test_a_lone_brief_sound_is_not_replaced_by_itself(bank: ClipBank, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bank, "brief", ["a bell"])
    for recipe in draws(bank, "edit_remove_add", 40, brief_share=1.0):
        old, new = (bank.clips[mix[-1].clip].captions for mix in (recipe.source, recipe.target))
        assert old == ("a bell",) != new


def _times(recipe: Recipe) -> list[tuple[float, float]]:
    return [(float(a), float(b)) for a, b in re.findall(r"From (\d+\.\d)s to (\d+\.\d)s", recipe.prompt)]


def test_a_voice_is_cut_from_one_utterance(bank: ClipBank) -> None:
    recipes = draws(bank, "zeroshotts", split_share=1.0)
    for recipe in recipes:
        (whole,) = recipe.target
        assert recipe.prompt == prompts.cloned_speech("", bank.clips[whole.clip].transcript or "")
        assert recipe.source == recipe.target and bank.samples(whole.clip) >= 2 * RATE
        assert RATE <= recipe.reference <= min(3 * RATE, bank.samples(whole.clip) - round(0.6 * RATE))
    assert len({recipe.reference for recipe in recipes}) > 8


def test_a_voice_is_taken_from_another_utterance(bank: ClipBank) -> None:
    for recipe in draws(bank, "zeroshotts", split_share=0.0):
        said, new = (placed.clip for placed in recipe.target)
        assert recipe.prompt == prompts.cloned_speech(*(bank.clips[clip].transcript or "" for clip in (said, new)))
        assert bank.clips[said].speaker == bank.clips[new].speaker and said != new
        assert recipe.reference == bank.samples(said) + round(REFERENCE_TAIL_SECONDS * RATE) == recipe.target[1].start
        assert bank.samples(said) <= 3 * RATE and recipe.source == recipe.target[:1]


def test_rooms_are_for_the_tasks_that_are_named(bank: ClipBank) -> None:
    assert not any(recipe.room for task in ("tts", "zeroshotts") for recipe in draws(bank, task, room_share=1.0))
    assert all(recipe.room for recipe in draws(bank, "edit_srap", room_share=1.0))
    assert not any(recipe.room for recipe in draws(bank, "edit_srap", room_tasks=()))
    (low, high), rooms = (0.1, 0.7), [recipe.room for recipe in draws(bank, "denoise", room_share=1.0)]
    assert all(room and low <= room.seconds <= high for room in rooms) and len(set(rooms)) == len(rooms)


def test_what_the_corpus_lacks_is_named(tmp_path: Path) -> None:
    clips = write_clips(tmp_path)
    speech = ClipBank(tmp_path, [clip for clip in clips if clip.kind == "speech"], RATE, torch.device("cpu"))
    with pytest.raises(BadArguments, match="a sound with a caption"):
        draws(speech, "t2a_single")
    sounds = ClipBank(tmp_path, [clip for clip in clips if clip.kind == "sound"], RATE, torch.device("cpu"))
    for task in ("tts", "zeroshotts", "speech_delete"):
        with pytest.raises(BadArguments, match="speech with transcript"):
            draws(sounds, task)
    single = ClipBank(tmp_path, clips[:2], RATE, torch.device("cpu"))
    with pytest.raises(BadArguments, match="zeroshotts needs speakers"):
        draws(single, "zeroshotts")
