"""A page to look through and listen to: a folder with an HTML file, sounds and spectrograms, nothing from afar."""

from __future__ import annotations

import math
from html import escape
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile
from matplotlib import image

from unison_engine.audio import Wave
from unison_train.evaluation.items import TASKS
from unison_train.evaluation.measures import FLOORS, MEASURES, Measure
from unison_train.evaluation.metrics import Estimate, Score, log_mel
from unison_train.evaluation.report import COUNTED, HEADINGS, Report, counted, heading, number
from unison_train.evaluation.run import CONTENDERS, Judged, Section
from unison_train.evaluation.sets import SET_MEASURES, digits

_HERE = Path(__file__).parent
_RANGE_DB = 80.0
_SHOWN = 6
"""Requests of a task that are open to the eye; the others are behind a line to click on."""
_MARGIN = 0.12

HEADLINES = {
    "text_to_audio": "event",
    "text_to_speech": "wer_base",
    "voice_clone": "similarity",
    "speech_and_sound": "wer_base",
    "timeline": "event_f1",
    "scene_edit": "added",
    "speech_edit": "wer_base",
    "denoise": "quality",
}
"""The one measure of a task that is shown at the head of the page."""

ABOUT = {
    "text_to_audio": "A sound from a caption.",
    "text_to_speech": "A line in a described voice; every sentence has a word that no training clip holds.",
    "voice_clone": "New words in the voice of a recording; four voices that training never heard.",
    "speech_and_sound": "A spoken line over a background as loud as it.",
    "timeline": "Three sounds at given times.",
    "scene_edit": "A sound is added to a scene, removed from it, or replaced.",
    "speech_edit": "Speech in a scene is inserted, rewritten or deleted; the scene stays.",
    "denoise": "The background is taken away from speech.",
}


_LEGEND = (
    '<span class="bar"><u style="left:9.7%"></u><u style="left:90.3%"></u><s style="left:70%"></s>'
    '<em style="left:30%;width:22%"></em><b style="left:41%"></b></span> From the floor, at the left, to real clips: '
    "the model with its interval, and a ring for real clips through the model's own autoencoder. "
    "A click on a spectrogram plays it."
)


class Heard(NamedTuple):
    """A sound of a card: its caption and where its files are, without ending."""

    title: str
    file: str
    seconds: float


class Page:
    """Collects sections and writes `index.html`; the sounds of a section are written when it is added.

    Args:
        folder: filled; made if need be.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._sections: dict[str, str] = {}
        self._glance: dict[str, str] = {}
        (folder / "sounds").mkdir(parents=True, exist_ok=True)

    def add(self, section: Section) -> None:
        """Write the sounds and spectrograms of a task, and its part of the page."""
        cards = [self._card(one) for one in section.judged]
        table = section.table()
        headline, row = MEASURES[HEADLINES[section.task]], table[HEADLINES[section.task]]
        self._glance[section.task] = (
            f'<tr><th><a href="#{section.task}">{_words(section.task)}</a></th>'
            f"<td>{escape(heading(headline))}</td>{_cell(row['model'], headline, 'model')}<td>{_bar(row)}</td></tr>"
        )
        rest = "".join(cards[_SHOWN:])
        more = f"<details><summary>{len(cards) - _SHOWN} more</summary>{rest}</details>" if rest else ""
        self._sections[section.task] = (
            f'<section id="{section.task}"><h2>{_words(section.task)}</h2>'
            f"<p>{ABOUT[section.task]} Floor: {FLOORS[section.task]}.</p>{_table(table)}"
            f"{_sets(section.distances)}{''.join(cards[:_SHOWN])}{more}</section>"
        )

    def write(self, report: Report) -> Path:
        """Write the page; returns its path."""
        links = "".join(f'<a href="#{task}">{_words(task)}</a>' for task in TASKS if task in self._sections)
        glance = "".join(self._glance[task] for task in TASKS if task in self._glance)
        name = escape(report.head["bundle"])
        page = (
            f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{name}</title>'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<style>{(_HERE / 'page.css').read_text(encoding='utf-8')}</style></head><body>"
            f"<header><h1>{name}</h1><p>{escape(report.conditions()).replace('`', '')} "
            f"{report.head['date']}.</p></header><nav>{links}</nav>"
            f'<main><table class="glance"><tbody>{glance}</tbody></table><p class="legend">{_LEGEND}</p>'
            f"{''.join(self._sections[task] for task in TASKS if task in self._sections)}</main>"
            f"<script>{(_HERE / 'page.js').read_text(encoding='utf-8')}</script></body></html>"
        )
        (self._folder / "index.html").write_text(page, encoding="utf-8")
        return self._folder / "index.html"

    def _card(self, one: Judged) -> str:
        scene, name = one.scene, one.scene.item.name
        waves = {"made": one.waves["model"], "wanted": scene.target}
        if scene.source is not None:
            title = "voice to clone" if scene.item.task == "voice_clone" else "source"
            waves = {title: scene.source, **waves}
        heard = [self._sound(f"{name}-{title.split()[0]}", title, wave, scene.rate) for title, wave in waves.items()]
        longest = max(sound.seconds for sound in heard)
        players = "".join(_player(sound, longest) for sound in heard)
        scores = "".join(
            f"<li>{escape(MEASURES[measure].title)} <b>{_scored(score, MEASURES[measure])}</b></li>"
            for measure, score in one.scores["model"].items()
            if score.weight
        )
        prompt = escape(scene.conditioning.prompt)
        return f'<article><h3>{prompt}</h3><div class="row">{players}</div><ul>{scores}</ul></article>'

    def _sound(self, file: str, title: str, wave: Wave, rate: int) -> Heard:
        path = self._folder / "sounds" / file
        soundfile.write(path.with_suffix(".ogg"), np.clip(wave, -1.0, 1.0), rate, format="OGG", subtype="VORBIS")
        spectrogram = log_mel(wave, rate, mels=128)
        top = float(spectrogram.max())
        image.imsave(
            path.with_suffix(".png"), spectrogram.T[::-1], vmin=top - _RANGE_DB, vmax=top, cmap="magma", format="png"
        )
        return Heard(title, f"sounds/{file}", len(wave) / rate)


def _words(task: str) -> str:
    return task.replace("_", " ")


def _player(sound: Heard, longest: float) -> str:
    """A spectrogram that is a button: as wide as the sound is long, and it plays."""
    return (
        f'<figure style="--long:{sound.seconds / longest:.3f}"><button aria-label="play {sound.title}">'
        f'<img src="{sound.file}.png" alt="spectrogram" loading="lazy"><i></i></button>'
        f"<figcaption>{sound.title} <span>{sound.seconds:.1f} s</span></figcaption>"
        f'<audio src="{sound.file}.ogg" preload="none"></audio></figure>'
    )


def _table(table: dict[str, dict[str, Estimate]]) -> str:
    head = "".join(f"<th>{title}</th>" for title in (COUNTED, *(HEADINGS[one] for one in CONTENDERS)))
    rows = "".join(
        f"<tr><th>{escape(heading(MEASURES[name]))}</th><td>{counted(row['model'])}</td>"
        f"{''.join(_cell(row[one], MEASURES[name], one) for one in CONTENDERS)}<td>{_bar(row)}</td></tr>"
        for name, row in table.items()
    )
    return f"<table><thead><tr><th></th>{head}<th>floor to real</th></tr></thead><tbody>{rows}</tbody></table>"


def _sets(distances: dict[str, dict[str, Estimate]]) -> str:
    if not distances:
        return ""
    head = "".join(f"<th>{HEADINGS[one]}</th>" for one in CONTENDERS)
    rows = ""
    for name, row in distances.items():
        spans = (
            f'<td class="{one}">{digits(row[one].value)} '
            f"<small>{digits(row[one].low)} to {digits(row[one].high)}</small></td>"
            for one in CONTENDERS
        )
        rows += f"<tr><th>{escape(SET_MEASURES[name].title)} ↓</th>{''.join(spans)}</tr>"
    return f"<table><thead><tr><th>distance between sets</th>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _cell(found: Estimate, measure: Measure, contender: str) -> str:
    if math.isnan(found.value):
        return "<td></td>"
    value, low, high = (number(one, measure) for one in found[:3])
    unit = f" {measure.unit}" * bool(measure.unit)
    return f'<td class="{contender}">{value}{unit} <small>{low} to {high}</small></td>'


def _bar(row: dict[str, Estimate]) -> str:
    """The model's interval on the way from the floor, at the left, to the real clip, at the right."""
    floor, real = row["floor"].value, row["reference"].value
    if math.isnan(floor + real) or floor == real:
        return ""

    def place(value: float) -> float:
        way = min(1 + _MARGIN, max(-_MARGIN, (value - floor) / (real - floor)))
        return 100 * (way + _MARGIN) / (1 + 2 * _MARGIN)

    model = row["model"]
    left, right = sorted((place(model.low), place(model.high)))
    return (
        f'<div class="bar"><u style="left:{place(floor):.1f}%"></u><u style="left:{place(real):.1f}%"></u>'
        f'<s style="left:{place(row["autoencoder"].value):.1f}%"></s>'
        f'<em style="left:{left:.1f}%;width:{right - left:.1f}%"></em>'
        f'<b style="left:{place(model.value):.1f}%"></b></div>'
    )


def _scored(score: Score, measure: Measure) -> str:
    if measure.unit == "%" and score.weight == 1:
        return "yes" if score.amount else "no"
    unit = f" {measure.unit}" * bool(measure.unit)
    return number(score.amount / score.weight, measure) + unit
