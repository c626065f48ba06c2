from __future__ import annotations

from importlib import resources
from pathlib import Path

import pytest
import torch

from tests.bank import RATE, make_bank, write_clips
from unison_engine import prompts
from unison_engine.errors import BadArguments
from unison_engine.layout import LatentLayout
from unison_train.config import TrainConfig
from unison_train.synthesis.bank import ClipBank
from unison_train.synthesis.tasks import EDIT_TASKS, GENERATION_TASKS, PUBLISHED_SHARES, TASKS
from unison_train.tuples import TupleStream

LAYOUT = LatentLayout(sample_rate=RATE, hop=960, channels=32, max_seconds=10.0)


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> ClipBank:
    return make_bank(tmp_path_factory.mktemp("clips"))


def test_stream_is_seeded_resumable_and_within_budget(bank: ClipBank) -> None:
    config = TrainConfig.load("nano")
    first, second = (TupleStream(bank, LAYOUT, config, silent=True) for _ in range(2))
    for step in range(4):
        task, batch = first.batch(step)
        again, same = second.batch(step)
        assert task == again and batch.prompts == same.prompts and torch.equal(batch.target, same.target)
        assert batch.mask.shape[0] * batch.mask.shape[2] <= config.run.frames_per_batch
    second.rng.bit_generator.state = first.rng.bit_generator.state
    assert first.batch(9)[1].prompts == second.batch(9)[1].prompts


def test_what_fills_no_batch_is_seldom_one(bank: ClipBank, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = TupleStream(bank, LAYOUT, TrainConfig.load("nano"), silent=True)
    # Thirteen tuples of 950 frames are drawn for four batches of 3000: three each, and one is left.
    monkeypatch.setattr(stream, "_frames", lambda recipe: 950)
    sizes = [len(stream._recipes("t2a_single")) for _ in range(200)]
    # One in thirteen; if every batch were as likely, one in five.
    assert set(sizes) == {1, 3} and sizes.count(1) < 28


def test_where_the_language_model_reads_the_lines_no_line_is_left_out(bank: ClipBank) -> None:
    usual = TrainConfig.load("nano")
    config = usual.model_copy(update={"data": usual.data.model_copy(update={"prompts_per_task": 1})})
    read, silent = (TupleStream(bank, LAYOUT, config, silent=silent) for silent in (False, True))
    assert len({read._draw("tts").prompt for _ in range(100)}) > 3
    assert len({silent._draw("edit_add").prompt for _ in range(20)}) == 1


@pytest.mark.parametrize("task", TASKS)
def test_an_example_depends_on_its_seed_alone(task: str, bank: ClipBank) -> None:
    stream = TupleStream(bank, LAYOUT, TrainConfig.load("nano"), silent=True)
    first = stream.examples(task, 5)
    stream.batch(0)
    assert torch.equal(first.target, stream.examples(task, 5).target)


def test_curriculum_starts_with_generation() -> None:
    config = TrainConfig.load("nano")
    early, late = config.shares(0), config.shares(config.run.steps - 1)
    assert set(early) == set(GENERATION_TASKS) and set(late) == set(config.tasks) == set(TASKS)
    assert sum(early.values()) == pytest.approx(1) and sum(late.values()) == pytest.approx(1)


def recipe(tmp_path: Path, tasks: str, more: str = "") -> str:
    shipped = (resources.files("unison_train") / "presets" / "nano.toml").read_text()
    head = shipped[: shipped.index("[tasks]")]
    (tmp_path / "mine.toml").write_text(f"{tasks}\n{head}\n{more}")
    return str(tmp_path / "mine.toml")


def test_published_shares_go_by_their_name(tmp_path: Path) -> None:
    config = TrainConfig.load(recipe(tmp_path, 'tasks = "published"'))
    assert config.tasks == PUBLISHED_SHARES and set(PUBLISHED_SHARES) == set(TASKS)
    assert sum(PUBLISHED_SHARES.values()) == pytest.approx(1)
    assert sum(PUBLISHED_SHARES[task] for task in EDIT_TASKS) == pytest.approx(0.3)
    assert config.shares(0)["zeroshotts"] == pytest.approx(0.25 / 0.7)


@pytest.mark.parametrize(
    ("tasks", "more", "told"),
    [
        ('tasks = "public"', "", "tasks"),
        ("tasks = {tts = -1.0}", "", "greater than or equal to 0"),
        ("tasks = {tts = 0.0}", "", "no generation task"),
        ('tasks = "published"', "[synthesis]\nnoise = 1", "noise"),
        ('tasks = "published"', "[synthesis]\nroom_share = 1.5", "room_share"),
        ('tasks = "published"', "[synthesis]\nedit_snr_db = [3.0, -3.0]", "ends before it starts"),
        ('tasks = "published"', '[synthesis]\nroom_tasks = ["sing"]', "never heard in a room"),
        ('tasks = "published"', '[synthesis]\nroom_tasks = ["tts"]', "never heard in a room"),
    ],
)
def test_settings_are_strict(tmp_path: Path, tasks: str, more: str, told: str) -> None:
    with pytest.raises(BadArguments, match=told):
        TrainConfig.load(recipe(tmp_path, tasks, more))


def test_a_recipe_may_begin_with_a_byte_order_mark_and_must_be_utf_8(tmp_path: Path) -> None:
    mine = Path(recipe(tmp_path, 'tasks = "published"  # caf\u00e9'))
    text = mine.read_text()
    mine.write_text(text, encoding="utf-8-sig")
    assert TrainConfig.load(str(mine)).tasks == PUBLISHED_SHARES
    mine.write_text(text, encoding="latin-1")
    with pytest.raises(BadArguments, match=r"mine\.toml' is not UTF-8 .*; save it as UTF-8"):
        TrainConfig.load(str(mine))


def test_settings_reach_the_recipes(bank: ClipBank, tmp_path: Path) -> None:
    settings = TrainConfig.load(recipe(tmp_path, 'tasks = "published"', "[synthesis]\nscene_seconds = [3.0, 3.0]"))
    batch = TupleStream(bank, LAYOUT, settings, silent=True).examples("edit_add", 1)
    assert batch.target.shape[1] == 3 * RATE


def test_prompts_that_do_not_fit_are_drawn_again(bank: ClipBank) -> None:
    config = TrainConfig.load("nano").model_copy(update={"tasks": {"t2a_timeline": 1.0}})
    free = TupleStream(bank, LAYOUT, config, silent=True).batch(0)[1].prompts
    longest = max(map(len, free)) - 1
    short = (
        TupleStream(bank, LAYOUT, config, silent=True, fits=lambda prompt: len(prompt) < longest).batch(0)[1].prompts
    )
    assert max(map(len, short)) < longest <= max(map(len, free))
    with pytest.raises(BadArguments, match="of 50 prompts drawn"):
        TupleStream(bank, LAYOUT, config, silent=True, fits=lambda prompt: False).batch(0)


def test_lines_that_cannot_be_pronounced_are_drawn_again(tmp_path: Path) -> None:
    clips = write_clips(tmp_path)
    foreign = clips[0].model_copy(update={"transcript": "你好"})
    bank = ClipBank(tmp_path, [foreign, *clips[1:]], RATE, torch.device("cpu"))
    config = TrainConfig.load("nano").model_copy(update={"tasks": {"tts": 1.0}})
    told = "".join(TupleStream(bank, LAYOUT, config, silent=True).batch(0)[1].prompts)
    assert "here" in told and "你好" not in told
    alone = ClipBank(tmp_path, [foreign], RATE, torch.device("cpu"))
    with pytest.raises(BadArguments, match="letters of English"):
        TupleStream(alone, LAYOUT, config, silent=True).batch(0)
    assert TupleStream(alone, LAYOUT, config, silent=False).batch(0)[1].prompts


def test_however_few_prompts_every_caption_is_trained(bank: ClipBank) -> None:
    config = TrainConfig.load("nano")
    config = config.model_copy(update={"data": config.data.model_copy(update={"prompts_per_task": 1})})

    def drawn(task: str) -> set[str]:
        stream = TupleStream(bank, LAYOUT, config.model_copy(update={"tasks": {task: 1.0}}), silent=True)
        return {prompt for _ in range(4) for prompt in stream.batch(config.run.steps - 1)[1].prompts}

    assert drawn("t2a_single") == {prompts.audio(caption) for caption in bank.captions}
    assert len(drawn("edit_add")) == 1
