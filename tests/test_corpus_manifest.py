from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from unison_engine.errors import BadArguments, UnknownAsset
from unison_train.corpus.manifest import Clip, read_manifest, write_manifest

SOUND = Clip(path="a.flac", seconds=1.5, captions=("a bell rings", "a small bell"), label="bell", licence="CC0-1.0")
SPEECH = Clip(
    path="b.flac",
    seconds=2.25,
    split="test",
    transcript="hello world.",
    speaker="joe",
    gender="male",
    source="kokoro",
)


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    for name in ("a.flac", "b.flac"):
        (tmp_path / name).touch()
    return tmp_path / "clips.jsonl"


def test_rows_survive_a_round_trip_and_know_their_kind(manifest: Path) -> None:
    write_manifest(manifest, [SOUND, SPEECH])
    assert read_manifest(manifest) == [SOUND, SPEECH]
    assert [clip.kind for clip in read_manifest(manifest)] == ["sound", "speech"]
    assert [entry.name for entry in manifest.parent.iterdir() if entry.suffix == ".part"] == []


def test_writing_replaces_an_older_manifest(manifest: Path) -> None:
    write_manifest(manifest, [SOUND, SPEECH])
    write_manifest(manifest, [SPEECH])
    assert read_manifest(manifest) == [SPEECH]


def test_a_user_may_write_one_caption_and_leave_out_what_has_a_default(manifest: Path) -> None:
    manifest.write_text('{"path": "a.flac", "seconds": 3, "caption": "rain on a roof"}\n\n')
    [clip] = read_manifest(manifest)
    assert clip.captions == ("rain on a roof",)
    assert (clip.kind, clip.split, clip.label) == ("sound", "train", None)


def test_captions_may_hold_what_only_python_takes_for_the_end_of_a_line(manifest: Path) -> None:
    strange = SOUND.model_copy(update={"captions": ("a\u2028bell\x85rings",)})
    write_manifest(manifest, [strange, SPEECH])
    assert read_manifest(manifest) == [strange, SPEECH]
    manifest.write_text("\ufeff" + manifest.read_text(encoding="utf-8"), encoding="utf-8")
    assert read_manifest(manifest) == [strange, SPEECH]


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ('{"path": "a.flac", "seconds": 1, "caption": "x", "mood": "sad"}', "mood"),
        ('{"path": "a.flac", "seconds": -1, "caption": "x"}', "seconds"),
        ('{"path": "a.flac", "seconds": 1, "caption": "x", "split": "dev"}', "split"),
        ('{"path": "a.flac", "seconds": 1}', "captions"),
        ('{"path": "a.flac", "seconds": 1, "caption": " "}', "captions"),
        ('{"path": "a.flac", "seconds": 1, "transcript": ""}', "transcript"),
        ('{"path": "a.flac", "seconds": 1, "label": "bell"}', "captions"),
        ('{"path": "b.flac", "seconds": 1, "transcript": "x", "label": "bell"}', "label"),
        ('{"path": "a.flac", "seconds": 1, "caption": "x", "transcript": "y"}', "transcript"),
        ('{"path": "a.flac", "seconds": 1, "caption": "x", "captions": ["y"]}', "not both"),
        ('{"path": "a.flac", "seconds": 1, "caption": "x", "gender": "male"}', "gender"),
        ('{"path": "a.flac", "seconds": 1, "caption": ', "JSON"),
        ('["a.flac"]', "dictionary|object"),
    ],
)
def test_a_malformed_row_is_refused_with_its_line(manifest: Path, line: str, named: str) -> None:
    manifest.write_text('{"path": "b.flac", "seconds": 1, "transcript": "yes"}\n' + line + "\n")
    with pytest.raises(BadArguments, match=rf"line 2: .*({named})"):
        read_manifest(manifest)


def test_a_clip_that_is_listed_twice_is_refused_with_both_lines(manifest: Path) -> None:
    write_manifest(manifest, [SOUND, SPEECH, SOUND.model_copy(update={"path": "./a.flac"})])
    with pytest.raises(BadArguments, match=r"line 3: \./a\.flac is listed in line 1 already"):
        read_manifest(manifest)


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1"])
def test_a_manifest_that_is_not_utf_8_is_named(manifest: Path, encoding: str) -> None:
    manifest.write_text('{"path": "a.flac", "caption": "a caf\u00e9"}\n', encoding=encoding)
    with pytest.raises(BadArguments, match=r"clips\.jsonl is not UTF-8"):
        read_manifest(manifest)


def test_a_missing_clip_is_refused_with_its_line(manifest: Path) -> None:
    write_manifest(manifest, [SOUND, SPEECH])
    (manifest.parent / "b.flac").unlink()
    with pytest.raises(UnknownAsset, match=r"line 2: b\.flac"):
        read_manifest(manifest)


def test_a_missing_manifest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnknownAsset, match=r"nothing\.jsonl"):
        read_manifest(tmp_path / "nothing.jsonl")


def test_a_length_that_a_row_leaves_out_is_measured(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(12_000, np.float32), 24_000)
    (tmp_path / "mine.jsonl").write_text('{"path": "a.wav", "caption": "silence"}\n')
    (clip,) = read_manifest(tmp_path / "mine.jsonl")
    assert clip.seconds == 0.5 and clip.captions == ("silence",)


def test_a_file_that_is_not_audio_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"not audio")
    (tmp_path / "mine.jsonl").write_text('{"path": "a.wav", "caption": "silence"}\n')
    with pytest.raises(UnknownAsset, match=r"line 1.*not readable audio"):
        read_manifest(tmp_path / "mine.jsonl")
