"""The evaluation from requests to report, with the project's own tagger and judges that need no download."""

from __future__ import annotations

import json
import re
import shutil
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from unison_engine.audio import Wave, resample
from unison_engine.conditioning import Conditioning, Mask
from unison_engine.engine import BundleIdentity
from unison_engine.errors import UnknownAsset
from unison_engine.layout import LatentLayout
from unison_engine.machine import processor
from unison_engine.runtime.sampler import Sampling
from unison_engine.runtime.synthesis import Synthesizer
from unison_engine.testing import IDENTITY, LAYOUT, NoiseSynthesizer
from unison_train.corpus.manifest import Clip, write_manifest
from unison_train.evaluation import command
from unison_train.evaluation.items import FILES, TASKS, SoundStem, SpeechStem, Stem, Task, fingerprint, read_items
from unison_train.evaluation.judges.panel import JUDGES, RATE, Panel
from unison_train.evaluation.judges.tagger import FRAME_SECONDS, KINDS
from unison_train.evaluation.measures import MEASURES, judge
from unison_train.evaluation.page import Page
from unison_train.evaluation.report import Report
from unison_train.evaluation.run import CONTENDERS, Section, evaluate, stranger
from unison_train.evaluation.scenes import Scene, Stage

ITEMS = 3
READING_SECONDS, FEMALE_HERTZ = 1.0, 400
PERFECT = {
    **dict.fromkeys(("event", "held_out", "gender", "background", "event_f1", "added", "removed", "deleted"), 1.0),
    **dict.fromkeys(("wer_base", "wer_tiny", "onset", "distance", "kept"), 0.0),
    "si_sdr": 60.0,
}
"""What the wanted sound gets of judges who hear everything; likeness and DNSMOS have no such value."""


class FakePanel(Panel):
    """Hears what is in whichever wave it was told of that a wave is most like, and the project's tagger before that."""

    def __init__(self) -> None:
        super().__init__(Path("no corpus"))
        self.known: list[tuple[NDArray[np.float32], list[Stem]]] = []

    def learn(self, scene: Scene) -> None:
        """Be told what is in the wanted sound of a scene and in its source."""
        for wave, part in ((scene.target, "new"), (scene.source, "old")):
            if wave is not None:
                stems = [stem for stem in scene.item.stems if stem.part in ("kept", part)]
                self.known.append((spectrum(resample(wave, scene.rate, RATE), bands=2000), stems))

    def stems(self, wave: Wave) -> list[Stem]:
        heard = spectrum(wave, bands=2000)
        return max(self.known, key=lambda one: float(one[0] @ heard))[1] if self.known else []

    def words(self, wave: Wave) -> dict[str, str]:
        text = " ".join(stem.text for stem in self.stems(wave) if isinstance(stem, SpeechStem))
        return {"base": text, "tiny.en": text}

    def voice(self, wave: Wave) -> NDArray[np.float32]:
        return spectrum(wave, bands=20)

    def gender(self, wave: Wave) -> str:
        power = spectrum(wave, bands=2000)
        return "female" if 4 * np.flatnonzero(power > power.max() / 4)[0] >= FEMALE_HERTZ - 8 else "male"

    def quality(self, wave: Wave) -> float:
        """5 of a tone, less of what is like noise: by the flatness of the spectrum."""
        power = np.abs(np.fft.rfft(wave)) ** 2 + 1e-12
        return float(5 - 4 * np.exp(np.log(power).mean()) / power.mean())

    def spoken_seconds(self, wave: Wave) -> float:
        return READING_SECONDS * any(isinstance(stem, SpeechStem) for stem in self.stems(wave))

    def tags(self, wave: Wave) -> NDArray[np.float32]:
        if not self.known:
            return super().tags(wave)
        frames = np.zeros((len(KINDS), 400), np.float32)
        for stem in self.stems(wave):
            if isinstance(stem, SoundStem):
                first = round(stem.start / FRAME_SECONDS)
                frames[KINDS.index(stem.kind), first : first + 5] = 1.0
        return frames


def spectrum(wave: Wave, bands: int) -> NDArray[np.float32]:
    """Magnitudes of a wave at 16 kHz in bands of equal width up to the top, of length 1."""
    magnitudes = np.abs(np.fft.rfft(wave, 320_000))[:160_000].reshape(bands, -1).mean(axis=1)
    return np.asarray(magnitudes / (np.linalg.norm(magnitudes) + 1e-9), dtype=np.float32)


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
    """Buzzes in place of the readings that the first items ask for: pitches of their own, formants of the speaker."""
    folder = tmp_path_factory.mktemp("corpus")
    clips: dict[tuple[str, str], Clip] = {}
    for task, requests in product(TASKS, FILES):
        for stem in (stem for item in read_items(task, ITEMS, requests) for stem in item.stems):
            if not isinstance(stem, SpeechStem) or (stem.speaker, stem.text) in clips:
                continue
            name = f"{len(clips)}.flac"
            time = np.arange(round(READING_SECONDS * 24_000)) / 24_000
            hertz = (FEMALE_HERTZ if stem.gender == "female" else 100) + 4 * len(clips)
            formant = 800 + zlib.crc32(stem.speaker.encode()) % 4000
            buzz = sum(
                (1 if n == 1 else 0.3 + 2 * (abs(hertz * n - formant) < 500)) * np.sin(2 * np.pi * hertz * n * time)
                for n in range(1, 6000 // hertz)
            )
            soundfile.write(folder / name, 0.3 * buzz / np.abs(buzz).max(), 24_000)
            clips[stem.speaker, stem.text] = Clip(
                path=name, split=requests, transcript=stem.text, speaker=stem.speaker, gender=stem.gender
            )
    write_manifest(folder / "speech.jsonl", clips.values())
    return folder


def judged(synthesizer: Oracle, corpus: Path, task: Any, **settings: Any) -> Section:
    stage, panel = Stage(corpus, LAYOUT), FakePanel()
    for item in read_items(task, ITEMS):
        scene = stage.scene(item)
        if type(synthesizer) is Oracle:
            synthesizer.answers[scene.conditioning.prompt] = scene.target
            panel.learn(scene)
    return evaluate(synthesizer, stage, panel, task, items=ITEMS, **settings)


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
        # The engine fades a cloned voice in.
        assert row["model"].value == pytest.approx(row["reference"].value, abs=0.02), measure
        if measure in PERFECT:
            assert row["reference"].value == pytest.approx(PERFECT[measure], abs=1e-6), measure
        if task == "denoise" and measure in ("wer_base", "wer_tiny", "held_out"):
            assert row["floor"].value == row["reference"].value, "who hears all of it hears it in the source as well"
        else:
            sign = 1 if MEASURES[measure].better == "higher" else -1
            assert sign * (row["reference"].value - row["floor"].value) > 0.05, measure


def test_the_floor_of_a_gender_is_a_coin_and_that_of_dnsmos_noise(corpus: Path) -> None:
    table = judged(Oracle(), corpus, "text_to_speech").table()
    assert table["gender"]["floor"].value == 0.5
    noise = np.random.default_rng(5).standard_normal(80_000, dtype=np.float32)
    assert table["quality"]["floor"].value == pytest.approx(FakePanel().quality(noise), abs=0.05)


def test_the_floor_of_a_voice_is_another_one_of_the_same_gender() -> None:
    scenes = [cast(Scene, SimpleNamespace(item=item, target=item)) for item in read_items("voice_clone")]
    for index, scene in enumerate(scenes):
        asked, other = (item.speech("new") for item in (scene.item, cast(Any, stranger(scenes, index))))
        assert asked is not None and other is not None
        assert other.gender == asked.gender and other.speaker != asked.speaker and other.text != asked.text
    # Of the first three, one is the only man.
    few = scenes[:ITEMS]
    speakers = [one.item.stems[1].speaker for one in few if isinstance(one.item.stems[1], SpeechStem)]
    floors = [cast(Any, stranger(few, index)).stems[1].speaker for index in range(ITEMS)]
    assert speakers == ["af_sarah", "bf_lily", "am_puck"] and floors == ["bf_lily", "af_sarah", "af_sarah"]


def test_a_line_that_lasts_longer_than_its_reading_is_part_of_the_edit(corpus: Path) -> None:
    scene = Stage(corpus, LAYOUT).scene(read_items("speech_edit")[1])
    (line,) = scene.conditioning.lines
    assert line.end > 0.5 + 1.0 + READING_SECONDS, "the reading is over long before"
    made = scene.target.copy()
    made[round((line.end - 0.5) * scene.rate) : round(line.end * scene.rate)] = 0
    scores = judge(scene, made, FakePanel())
    assert scores["kept"].amount == 0 < scores["distance"].amount


def test_readings_are_told_apart_by_how_they_sound(corpus: Path, tmp_path: Path) -> None:
    shutil.copytree(corpus, tmp_path, dirs_exist_ok=True)

    def readings() -> str:
        stage = Stage(tmp_path, LAYOUT)
        for item in read_items("denoise", ITEMS):
            stage.scene(item)
        return stage.readings

    before, line = readings(), read_items("denoise")[0].speech("kept")
    assert line is not None and readings() == before
    clips = [json.loads(row) for row in (tmp_path / "speech.jsonl").read_text().splitlines()]
    (clip,) = [one for one in clips if (one["speaker"], one["transcript"]) == (line.speaker, line.text)]
    wave, rate = soundfile.read(tmp_path / clip["path"])
    soundfile.write(tmp_path / clip["path"], wave[::-1], rate)
    assert readings() != before


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


def test_requests_to_choose_by_are_answered_in_place_of_the_published(corpus: Path) -> None:
    stage, panel = Stage(corpus, LAYOUT), FakePanel()
    section = evaluate(Noise(), stage, panel, "voice_clone", items=ITEMS, bounds=False, requests="valid")
    assert [one.scene.item for one in section.judged] == read_items("voice_clone", ITEMS, "valid")
    assert Report(Oracle(), stage, panel, None, None, "valid").head["requests"] == fingerprint("valid")


def test_the_report_and_the_page_are_whole(corpus: Path, tmp_path: Path) -> None:
    stage, page = Stage(corpus, LAYOUT), Page(tmp_path)
    stage.scene(read_items("voice_clone")[0])
    report = Report(Oracle(), stage, FakePanel(), None, 2.0)
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
    told = (tmp_path / "results.md").read_text()
    assert (results["backend"], results["processor"], results["readings"]) == ("oracle", processor(), stage.readings)
    assert f"oracle on {processor()}" in told and f"readings `{stage.readings[:12]}`" in told
    # Two of three scenes are timed; every cloned voice is another one.
    assert "| distance outside the edit ↓ | 2 (2) |" in told and "| likeness of the voice ↑ | 3 (3) |" in told
    assert "<th>distance outside the edit ↓</th><td>2 (2)</td>" in html
    row = results["tasks"]["scene_edit"]["measures"]["kept"]
    assert row["unit"] == "dB" and row["floor"]["value"] > row["model"]["value"] == 0
    assert row["model"]["low"] <= row["model"]["value"] <= row["model"]["high"]
    assert "## scene_edit" in told
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
    command.run_evaluation("any", corpus, folder, tasks, ITEMS, None, None, Path("no cache"), 0, None)


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
