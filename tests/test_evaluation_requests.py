"""The requests of the evaluation: which they are, what they have in common, and how they are drawn."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from unison_engine.errors import BadArguments, UnknownAsset
from unison_engine.pronunciation import words
from unison_train.corpus.speech import is_held_out
from unison_train.evaluation import drawing
from unison_train.evaluation.items import FILES, TASKS, Item, Requests, SpeechStem, Task, fingerprint, read_items
from unison_train.evaluation.measures import cluster

FINGERPRINTS: dict[Requests, str] = {
    "test": "3bf8ad534339441c63924b72e3a32493a0ab89188b0b17a1d9d0c2093c21cd7f",
    "valid": "52c1f699847af2180ecb779eee83014f20082ba6e80d9e4acdd81067eae822f4",
}
"""`sha256sum train/unison_train/evaluation/items*.jsonl`."""
CLUSTERS: dict[Task, dict[str, int]] = {
    "text_to_audio": {"event": 39},
    "text_to_speech": {"wer_base": 19},
    "voice_clone": {"wer_base": 17, "similarity": 4},
    "speech_and_sound": {"wer_base": 20, "background": 30},
    "speech_edit": {"distance": 17},
    "denoise": {"wer_base": 20},
}


@pytest.mark.parametrize("requests", FILES)
def test_the_requests_are_these_and_no_others(requests: Requests) -> None:
    """Whoever changes them must say so: numbers measured with others cannot be compared."""
    assert fingerprint(requests) == FINGERPRINTS[requests]
    counted = {task: len(read_items(task, requests=requests)) for task in TASKS}
    assert counted == {**dict.fromkeys(TASKS, 30), "text_to_audio": 39}


def test_what_is_chosen_by_is_no_part_of_what_is_published() -> None:
    test, valid = (
        {
            stem.text if isinstance(stem, SpeechStem) else stem.variant
            for task in TASKS
            for item in read_items(task, requests=requests)
            for stem in item.stems
        }
        for requests in FILES
    )
    assert test and valid and not test & valid


@pytest.mark.parametrize("requests", FILES)
@pytest.mark.parametrize("task", TASKS)
def test_neighbours_ask_for_different_things(task: str, requests: Requests) -> None:
    """Otherwise what was made for the next request would be no floor."""

    def asked(item: Item) -> tuple[object, ...]:
        return tuple(stem.text if isinstance(stem, SpeechStem) else stem.kind for stem in item.stems)

    items = read_items(task, requests=requests)
    assert all(asked(one) != asked(other) for one, other in zip(items, items[1:] + items[:1], strict=True))
    assert len({item.name for item in items}) == len(items)


@pytest.mark.parametrize("requests", FILES)
def test_every_sentence_to_speak_has_a_held_out_word(requests: Requests) -> None:
    for item in read_items("text_to_speech", requests=requests):
        line = item.speech("new")
        assert line is not None and any(map(is_held_out, words(line.text))), item


def test_an_unknown_task_and_a_single_request_are_refused() -> None:
    with pytest.raises(BadArguments, match=r"'music'.*text_to_audio"):
        read_items("music")
    with pytest.raises(BadArguments, match="at least 2"):
        read_items("denoise", 1)


@pytest.mark.parametrize(("task", "clusters"), CLUSTERS.items())
def test_requests_that_share_a_sentence_or_a_voice_are_one_cluster(task: Task, clusters: dict[str, int]) -> None:
    """The numbers of docs/evaluation.md."""
    found = {measure: len({cluster(item, measure) for item in read_items(task)}) for measure in clusters}
    assert found == clusters


def test_a_drawing_that_fails_leaves_the_requests_as_they_were(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    items = [item.model_copy(update={"number": 0}) for item in (*read_items("denoise"), *read_items("timeline"))]

    class Torn:
        def __init__(self, corpus: Path, requests: Requests) -> None:
            pass

        def items(self) -> Iterator[Item]:
            yield items[0]
            raise UnknownAsset("no reading")

    file = tmp_path / "items.jsonl"
    lines = FILES["test"].read_text().splitlines()
    monkeypatch.setitem(FILES, "test", file)
    monkeypatch.setattr(drawing, "Drawer", lambda *_: SimpleNamespace(items=lambda: iter(items)))
    drawing.main(tmp_path, "test")
    drawn = file.read_text()
    assert sorted(drawn.splitlines()) == sorted(
        line for line in lines if '"task":"denoise"' in line or '"task":"timeline"' in line
    )
    monkeypatch.setattr(drawing, "Drawer", Torn)
    with pytest.raises(UnknownAsset, match="no reading"):
        drawing.main(tmp_path, "test")
    assert file.read_text() == drawn and list(tmp_path.iterdir()) == [file]
