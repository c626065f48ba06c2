from __future__ import annotations

import itertools
import json
import shutil
import tarfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from tests.bank import RATE, write_clips
from unison_engine.errors import BadArguments, UnknownAsset
from unison_engine.layout import LatentLayout
from unison_train.cli import app
from unison_train.config import TrainConfig
from unison_train.corpus.manifest import Clip, write_manifest
from unison_train.corpus.shards import INDEX, MEBIBYTE, read_index, read_shard, write_shards
from unison_train.synthesis.bank import ClipBank
from unison_train.synthesis.sharded_bank import ShardedBank
from unison_train.tuples import TupleStream

CPU = torch.device("cpu")
SIZE = 1.0
"""MiB of a shard: two to ten of the test's clips."""


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixteen clips to train on and two to validate."""
    folder = tmp_path_factory.mktemp("corpus")
    clips = write_clips(folder)
    held_out = []
    for clip in (clips[0], clips[9]):
        copy = clip.model_copy(update={"path": f"valid{clip.path}", "split": "valid"})
        shutil.copy(folder / clip.path, folder / copy.path)
        held_out.append(copy)
    write_manifest(folder / "clips.jsonl", [*clips, *held_out])
    return folder


@pytest.fixture(scope="module")
def shards(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shards")
    write_shards(corpus, folder, SIZE)
    return folder


def bank(shards: Path, held: int, steps: int = 10) -> ShardedBank:
    return ShardedBank(shards / INDEX, "train", held, steps, 7, RATE, CPU)


def paths(bank: ClipBank) -> Counter[str]:
    return Counter(clip.path for clip in bank.clips)


def test_every_clip_lies_in_one_shard_as_it_was(corpus: Path, shards: Path) -> None:
    found = read_index(shards / INDEX)
    assert len(found.of("train")) > 3 and len(found.of("valid")) == 1
    held = [pair for shard in found.of("train") for pair in read_shard(shards, shard)]
    assert sorted(clip.path for clip, _ in held) == sorted(f"{number}.wav" for number in range(16))
    for clip, audio in held:
        assert audio == (corpus / clip.path).read_bytes() and clip.licence == "CC0-1.0"
    for shard in found.shards:
        assert (shards / shard.name).stat().st_size <= SIZE * MEBIBYTE or shard.clips == 1
    assert sum(shard.seconds for shard in found.of("train")) == pytest.approx(sum(clip.seconds for clip, _ in held))


def test_a_shard_is_laid_out_as_a_webdataset(shards: Path) -> None:
    with tarfile.open(shards / "train-00000.tar") as tar:
        names = tar.getnames()
        row = json.loads(tar.extractfile(names[0]).read())  # type: ignore[union-attr]
    keys = [[name.partition(".") for name in pair] for pair in zip(names[::2], names[1::2], strict=True)]
    assert all(row[0] == audio[0] and (row[2], audio[2]) == ("json", "wav") for row, audio in keys)
    assert Clip.model_validate(row).seconds > 0


def test_the_same_clips_and_seed_give_the_same_bytes(corpus: Path, shards: Path, tmp_path: Path) -> None:
    assert write_shards(corpus, tmp_path / "again", SIZE) == read_index(shards / INDEX)
    assert write_shards(corpus, tmp_path / "other", SIZE, seed=1) != read_index(shards / INDEX)


def test_a_bank_of_all_shards_is_the_bank_of_the_clips(corpus: Path, shards: Path) -> None:
    whole, sharded = ClipBank(corpus, write_clips(corpus), RATE, CPU), bank(shards, held=99)
    assert sharded.captions == whole.captions and sharded.lines == whole.lines
    assert sharded.summary() == whole.summary()
    for index, clip in enumerate(sharded.clips):
        [same] = [other for other, one in enumerate(whole.clips) if one.path == clip.path]
        assert torch.equal(sharded.wave(index), whole.wave(same))
    before = paths(sharded)
    sharded.advance(1000)
    assert paths(sharded) == before


def test_each_round_brings_every_shard_once(shards: Path) -> None:
    count = len(read_index(shards / INDEX).of("train"))
    one = bank(shards, held=1)
    for turn in range(2):
        heard: Counter[str] = Counter()
        for place in range(count):
            one.advance(10 * (turn * count + place))
            heard += paths(one)
        assert heard == {f"{number}.wav": 1 for number in range(16)}


def test_what_is_held_follows_from_the_step_alone(shards: Path) -> None:
    gone, jumped = bank(shards, held=2), bank(shards, held=2)
    changes = 0
    for step, after in itertools.pairwise(range(0, 61, 5)):
        before = paths(gone)
        gone.advance(after)
        assert (paths(gone) == before) == (step // 10 == after // 10)
        changes += paths(gone) != before
    jumped.advance(60)
    assert changes == 6 and paths(jumped) == paths(gone)
    assert all(torch.equal(jumped.wave(clip), gone.wave(clip)) for clip in range(len(gone.clips)))
    gone.advance(0)
    assert paths(gone) == paths(bank(shards, held=2)), "a resumed run judges by the first batch again"


def test_tuples_are_drawn_from_the_shards_of_their_step(shards: Path) -> None:
    config = TrainConfig.load("nano").model_copy(update={"tasks": {"t2a_single": 1.0}})
    layout = LatentLayout(sample_rate=RATE, hop=960, channels=32, max_seconds=10.0)
    streams = [TupleStream(bank(shards, held=3), layout, config, silent=True) for _ in range(2)]
    streams[0].batch(0)
    streams[0].rng = np.random.default_rng(config.run.seed)
    first, second = (stream.batch(35)[1] for stream in streams)
    assert first.prompts == second.prompts and torch.equal(first.target, second.target)


def test_what_cannot_be_read_is_named(corpus: Path, shards: Path, tmp_path: Path) -> None:
    with pytest.raises(BadArguments, match="holds shards already"):
        write_shards(corpus, shards)
    with pytest.raises(BadArguments, match="0 MiB"):
        write_shards(corpus, tmp_path, 0)
    with pytest.raises(UnknownAsset, match=r"no manifest.*corpus build"):
        write_shards(tmp_path, tmp_path / "out")
    with pytest.raises(UnknownAsset, match="corpus shard CORPUS"):
        read_index(tmp_path / INDEX)
    with pytest.raises(BadArguments, match="no shard of the split 'test'"):
        ShardedBank(shards / INDEX, "test", 1, 1, 7, RATE, CPU)
    write_shards(corpus, tmp_path, SIZE)
    damaged = tmp_path / "train-00001.tar"
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"x")
    with pytest.raises(UnknownAsset, match=r"train-00001\.tar is damaged"):
        bank(tmp_path, held=99)
    damaged.unlink()
    with pytest.raises(UnknownAsset, match=r"train-00001\.tar, not there"):
        read_index(tmp_path / INDEX)
    (tmp_path / INDEX).write_text("{}")
    with pytest.raises(BadArguments, match="no index of shards"):
        read_index(tmp_path / INDEX)


def test_a_recipe_names_the_index_alone() -> None:
    data = TrainConfig.load("nano").data.model_dump()
    sharded = TrainConfig.load("nano").data.model_validate(data | {"manifests": [INDEX]})
    assert sharded.sharded and not TrainConfig.load("nano").data.sharded
    with pytest.raises(ValueError, match="name nothing else"):
        sharded.model_validate(data | {"manifests": [INDEX, "speech.jsonl"]})


def test_the_command_makes_shards(corpus: Path, tmp_path: Path) -> None:
    asked = ["corpus", "shard", str(corpus), str(tmp_path / "out"), "--mebibytes", str(SIZE)]
    assert CliRunner().invoke(app, asked).exit_code == 0
    assert read_index(tmp_path / "out" / INDEX).summary["clips"] == 16
