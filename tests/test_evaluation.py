"""The evaluation from requests to report, with the project's own tagger and judges that need no download."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from unison_engine.audio import Wave
from unison_engine.conditioning import Conditioning, Mask
from unison_engine.engine import BundleIdentity
from unison_engine.errors import BadArguments, UnknownAsset
from unison_engine.layout import LatentLayout
from unison_engine.pronunciation import words
from unison_engine.runtime.sampler import Sampling
from unison_engine.runtime.synthesis import Synthesizer
from unison_engine.testing import IDENTITY, LAYOUT, NoiseSynthesizer
from unison_train.corpus.manifest import Clip, write_manifest
from unison_train.corpus.speech import is_held_out
from unison_train.evaluation import command, drawing
from unison_train.evaluation.items import TASKS, Item, SpeechStem, Task, fingerprint, read_items
from unison_train.evaluation.judges.panel import JUDGES, Panel
from unison_train.evaluation.measures import judge
from unison_train.evaluation.page import Page
from unison_train.evaluation.report import Report
from unison_train.evaluation.run import CONTENDERS, Section, evaluate
from unison_train.evaluation.scenes import Stage

ITEMS = 3


class FakePanel(Panel):
    """Hears the words of whichever recording it hears, by its spectrum's fingerprint; voices are mean spectra."""

    def __init__(self) -> None:
        super().__init__(Path("no corpus"))
        self.known: list[tuple[NDArray[np.float32], str]] = []

    def words(self, wave: Wave) -> dict[str, str]:
        text = max(self.known, key=lambda one: float(one[0] @ self.voice(wave)))[1] if self.known else ""
        return {"base": text, "tiny.en": text}

    def voice(self, wave: Wave) -> NDArray[np.float32]:
        spectrum = np.abs(np.fft.rfft(wave, 32_768))[:8192].reshape(256, -1).mean(axis=1)
        return np.asarray(spectrum / (np.linalg.norm(spectrum) + 1e-9), dtype=np.float32)

    def gender(self, wave: Wave) -> str:
        return "female"

    def quality(self, wave: Wave) -> float:
        return 3.0

    def spoken_seconds(self, wave: Wave) -> float:
        return len(wave) / 16_000


@dataclass(frozen=True)
class Oracle:
    """Makes exactly what is wanted; its autoencoder loses nothing."""

    answers: dict[str, Wave] = field(default_factory=dict)
    layout: LatentLayout = LAYOUT
    bundle: BundleIdentity = IDENTITY
    backend: str = "oracle"

    def run(
        self,
        conditioning: Conditioning,
        *,
        seed: int,
        sampling: Sampling,
        progress: Callable[[Any], None] | None = None,
    ) -> Wave:
        wave = self.answers[conditioning.prompt]
        if conditioning.mask is Mask.REFERENCE and conditioning.source is not None:
            reference = round(len(conditioning.source) / self.layout.hop) * self.layout.hop
            return np.concatenate([np.zeros(reference, np.float32), wave])
        return wave

    def vae_encoder(self, wave: NDArray[np.float32]) -> NDArray[np.float32]:
        return wave.reshape(1, -1, self.layout.hop).transpose(0, 2, 1)

    def vae_decoder(self, latent: NDArray[np.float32]) -> NDArray[np.float32]:
        return latent.transpose(0, 2, 1).reshape(1, -1)


@dataclass(frozen=True)
class Noise(NoiseSynthesizer, Oracle):
    """Tones and noise, whatever is asked for."""


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Buzzes in place of the readings that the first items ask for, each with a pitch of its own."""
    folder = tmp_path_factory.mktemp("corpus")
    clips: dict[tuple[str, str], Clip] = {}
    for task in TASKS:
        for stem in (stem for item in read_items(task, ITEMS) for stem in item.stems):
            if not isinstance(stem, SpeechStem) or (stem.speaker, stem.text) in clips:
                continue
            name = f"{len(clips)}.flac"
            time = np.arange(24_000) / 24_000
            hertz = (180 if stem.gender == "female" else 90) + 5 * len(clips)
            buzz = sum(np.sin(2 * np.pi * hertz * n * time) for n in range(1, 20))
            soundfile.write(folder / name, 0.3 * buzz / np.abs(buzz).max(), 24_000)
            clips[stem.speaker, stem.text] = Clip(
                path=name, split="test", transcript=stem.text, speaker=stem.speaker, gender=stem.gender
            )
    write_manifest(folder / "speech.jsonl", clips.values())
    return folder


def judged(synthesizer: Oracle, corpus: Path, task: Any, **settings: Any) -> Section:
    stage, panel = Stage(corpus, LAYOUT), FakePanel()
    for item in read_items(task, ITEMS):
        scene = stage.scene(item)
        if type(synthesizer) is Oracle:
            synthesizer.answers[scene.conditioning.prompt] = scene.target
        if (line := item.speech("new") or item.speech("kept")) is not None:
            panel.known.append((panel.voice(scene.target[::3].repeat(2)), line.text))
    return evaluate(synthesizer, stage, panel, task, items=ITEMS, **settings)


def test_the_requests_are_these_and_no_others() -> None:
    """Whoever changes them must say so: numbers measured with others cannot be compared."""
    assert fingerprint() == "f3a9fd1f2bc5051ddafd8981063bf15dba47520ff1ddddc7925c5303db8a8479"
    assert {task: len(read_items(task)) for task in TASKS} == {**dict.fromkeys(TASKS, 30), "text_to_audio": 39}


@pytest.mark.parametrize("task", TASKS)
def test_neighbours_ask_for_different_things(task: str) -> None:
    """Otherwise what was made for the next request would be no floor."""

    def asked(item: Item) -> tuple[object, ...]:
        return tuple(stem.text if isinstance(stem, SpeechStem) else stem.kind for stem in item.stems)

    items = read_items(task)
    assert all(asked(one) != asked(other) for one, other in zip(items, items[1:] + items[:1], strict=True))
    assert len({item.name for item in items}) == len(items)


def test_every_sentence_to_speak_has_a_held_out_word() -> None:
    for item in read_items("text_to_speech"):
        line = item.speech("new")
        assert line is not None and any(map(is_held_out, words(line.text))), item


def test_an_unknown_task_and_a_single_request_are_refused() -> None:
    with pytest.raises(BadArguments, match=r"'music'.*text_to_audio"):
        read_items("music")
    with pytest.raises(BadArguments, match="at least 2"):
        read_items("denoise", 1)


def test_a_corpus_without_a_reading_is_named(corpus: Path, tmp_path: Path) -> None:
    (clip, *_) = (json.loads(line) for line in (corpus / "speech.jsonl").read_text().splitlines())
    (tmp_path / clip["path"]).write_bytes((corpus / clip["path"]).read_bytes())
    write_manifest(tmp_path / "speech.jsonl", [Clip.model_validate(clip)])
    with pytest.raises(UnknownAsset, match=r"no reading of .*unison-train corpus build"):
        Stage(tmp_path, LAYOUT).scene(read_items("voice_clone")[1])


@pytest.mark.parametrize("task", ["scene_edit", "speech_edit", "denoise"])
def test_source_and_target_agree_outside_of_what_changes(task: str, corpus: Path) -> None:
    stage = Stage(corpus, LAYOUT)
    for item in read_items(task, ITEMS):
        scene = stage.scene(item)
        assert scene.source is not None and len(scene.source) == len(scene.target)
        assert np.sqrt(np.mean(scene.source**2)) == pytest.approx(0.1, rel=1e-3)
        apart = np.flatnonzero(np.abs(scene.source - scene.target) > 1e-6) / scene.rate
        assert len(apart)
        assert min(start for start, _ in scene.changed) <= apart[0]
        assert apart[-1] <= max(end for _, end in scene.changed) + 1 / scene.rate


@pytest.mark.parametrize("task", TASKS)
def test_who_makes_what_is_wanted_reaches_the_ceiling(task: str, corpus: Path) -> None:
    table = judged(Oracle(), corpus, task).table()
    assert table
    for measure, row in table.items():
        assert tuple(row) == CONTENDERS
        if measure != "similarity":  # the engine fades a cloned voice in
            assert row["model"] == pytest.approx(row["reference"], abs=0.02, nan_ok=True), measure


def test_noise_stays_at_the_floor(corpus: Path) -> None:
    row = judged(Noise(), corpus, "text_to_audio").table()["event"]
    assert row["reference"].value == 1.0 and row["model"].value <= 1 / 3


def test_a_curve_over_steps_needs_no_bounds(corpus: Path) -> None:
    values = [
        judged(Noise(), corpus, "denoise", steps=steps, guidance=2.0, bounds=False).table()["distance"]
        for steps in (1, 8)
    ]
    assert [list(row) for row in values] == [["model"], ["model"]]
    assert values[0]["model"] != values[1]["model"]


def test_the_report_and_the_page_are_whole(corpus: Path, tmp_path: Path) -> None:
    report, page = Report(IDENTITY, None, 2.0, FakePanel()), Page(tmp_path)
    for task in ("voice_clone", "scene_edit"):
        section = judged(Oracle(), corpus, task)
        report.add(section)
        page.add(section)
    report.write(tmp_path)
    html = page.write(report).read_text()
    results = json.loads((tmp_path / "results.json").read_text())
    assert (
        results["tasks"]["scene_edit"]["sampling"]["guidance"] == 2.0
        and results["tasks"]["scene_edit"]["sampling"]["steps"] == IDENTITY.sampling.steps
        and results["requests"] == fingerprint()
    )
    row = results["tasks"]["scene_edit"]["measures"]["kept"]
    assert row["unit"] == "dB" and row["floor"]["value"] > row["model"]["value"] == 0
    assert row["model"]["low"] <= row["model"]["value"] <= row["model"]["high"]
    assert "## scene_edit" in (tmp_path / "results.md").read_text()
    files = re.findall(r'src="([^"]+)"', html)
    # Source, made and wanted; a picture and a sound each.
    assert len(files) == 2 * ITEMS * 3 * 2
    assert all((tmp_path / file).stat().st_size > 200 for file in files)
    assert "//" not in re.sub(r"<script>.*?</script>", "", html, flags=re.DOTALL), "nothing comes from elsewhere"
    assert html.count('id="scene_edit"') == 1 and "prefers-color-scheme: dark" in html


@pytest.mark.parametrize("task", TASKS)
def test_the_panel_prepares_just_what_a_task_asks_of_it(
    corpus: Path, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    panel, asked = FakePanel(), set[str]()

    def noted(name: str, listen: Callable[[Wave], object]) -> Callable[[Wave], object]:
        def listening(wave: Wave) -> object:
            asked.add(name)
            return listen(wave)

        return listening

    for name in {name for names in JUDGES.values() for name in names}:
        monkeypatch.setattr(panel, name, noted(name, getattr(FakePanel(), name)))
    stage = Stage(corpus, LAYOUT)
    for item in read_items(task, ITEMS):
        scene = stage.scene(item)
        judge(scene, scene.target, panel)
    assert asked == set(JUDGES[task])


def evaluated(folder: Path, corpus: Path, tasks: list[str]) -> None:
    command.run_evaluation("any", corpus, folder, tasks, ITEMS, None, None, Path("no cache"), 0)


class Unheard(FakePanel):
    """A panel whose judges need not be fetched."""

    def __init__(self, *_: Path) -> None:
        super().__init__()

    def prepare(self, tasks: object) -> None:
        assert tasks == ["timeline", "scene_edit"]


def test_what_stops_a_task_leaves_the_report_of_those_before_it(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopping(*arguments: Any, **settings: Any) -> Section:
        if arguments[3] == "scene_edit":
            raise UnknownAsset("no reading")
        return evaluate(*arguments, **settings)

    monkeypatch.setattr(Synthesizer, "open", lambda *_: Noise())
    monkeypatch.setattr(command, "Panel", Unheard)
    monkeypatch.setattr(command, "evaluate", stopping)
    with pytest.raises(UnknownAsset, match="no reading"):
        evaluated(tmp_path, corpus, ["scene_edit", "timeline"])
    assert set(json.loads((tmp_path / "results.json").read_text())["tasks"]) == {"timeline"}
    assert "## timeline" in (tmp_path / "results.md").read_text()
    assert 'id="timeline"' in (tmp_path / "index.html").read_text()


def test_a_judge_that_cannot_be_had_is_told_before_anything_is_made(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(cache: Path) -> None:
        raise UnknownAsset("no wheel")

    monkeypatch.setattr(Synthesizer, "open", lambda *_: Noise())
    monkeypatch.setattr("unison_train.evaluation.judges.panel.VoiceActivity", gone)
    monkeypatch.setattr("unison_train.evaluation.judges.panel.Whisper", lambda *_: None)
    monkeypatch.setattr(command, "evaluate", lambda *_, **__: pytest.fail("nothing may be made"))
    with pytest.raises(UnknownAsset, match="no wheel"):
        evaluated(tmp_path, corpus, ["timeline", "speech_edit"])


def test_a_drawing_that_fails_leaves_the_requests_as_they_were(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    items = [item.model_copy(update={"number": 0}) for item in (*read_items("denoise"), *read_items("timeline"))]

    class Torn:
        def __init__(self, corpus: Path) -> None:
            pass

        def items(self) -> Iterator[Item]:
            yield items[0]
            raise UnknownAsset("no reading")

    file = tmp_path / "items.jsonl"
    monkeypatch.setattr(drawing, "Drawer", lambda _: SimpleNamespace(items=lambda: iter(items)))
    drawing.main(tmp_path, file)
    drawn = file.read_text()
    lines = (Path(command.__file__).parent / "items.jsonl").read_text().splitlines()
    assert sorted(drawn.splitlines()) == sorted(
        line for line in lines if '"task":"denoise"' in line or '"task":"timeline"' in line
    )
    monkeypatch.setattr(drawing, "Drawer", Torn)
    with pytest.raises(UnknownAsset, match="no reading"):
        drawing.main(tmp_path, file)
    assert file.read_text() == drawn and list(tmp_path.iterdir()) == [file]
