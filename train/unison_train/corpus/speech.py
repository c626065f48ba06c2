"""The speech half of the nano corpus: ordinary English sentences read by the voices of Kokoro-82M."""

from __future__ import annotations

import multiprocessing
import zlib
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from multiprocessing.connection import Connection, wait
from operator import itemgetter
from pathlib import Path
from typing import Literal

import numpy as np
import onnxruntime
from rich.progress import Progress

from unison_engine.errors import BadArguments, UnknownAsset
from unison_engine.pronunciation import Lexicon, words
from unison_train.corpus.kokoro import LICENCE, RATE, Kokoro
from unison_train.corpus.manifest import Clip, Split, read_row, row, write_clip, write_manifest
from unison_train.corpus.sentences import sentences

SEED = 2026
HELD_OUT = 60
"""Texts that no training clip holds: the first half for the "valid" split, the second for "test".

Each has a word that is spoken in no training clip, so that reading them well takes more than recall."""
LONG_SHARE = 0.3
"""Of so many texts, two sentences are read in one breath, up to `MAX_WORDS` words."""
MAX_WORDS = 22


@dataclass(frozen=True)
class Voice:
    """One voice of Kokoro, or two mixed half and half.

    `share` scales how many training sentences it reads, and `held_out` is how many of the held-out sentences it reads,
    counted from the end of them, i.e. test sentences first.
    """

    name: str
    share: float = 1.0
    held_out: int = 0

    @property
    def gender(self) -> Literal["female", "male"]:
        """Names start with accent and gender."""
        return "female" if self.name[1] == "f" else "male"


# The 27 English voices of Kokoro that speak up, with those below.
_TRAINED = (
    "af_heart am_michael bf_emma bm_george af_bella am_fenrir bf_isabella bm_daniel af_nova am_eric af_kore am_adam "
    "bf_alice bm_lewis af_aoede am_liam af_jessica am_onyx af_river am_echo af_sky am_santa af_alloy"
).split()
# Never trained on: speakers for tests of voice cloning.
_UNHEARD = "af_sarah am_puck bf_lily bm_fable".split()


def _blends(reach: int = 3) -> list[str]:
    """Each trained voice mixed half and half with the next few of its gender: people to learn cloning from."""
    genders = [[name for name in _TRAINED if name[1] == gender] for gender in "fm"]
    return [
        f"{name}+{names[(place + step) % len(names)]}"
        for names in genders
        for place, name in enumerate(names)
        for step in range(1, reach + 1)
    ]


VOICES = (
    # A woman and a man read every held-out sentence, so that a run can be judged by voices that it trains on.
    *(Voice(name, held_out=HELD_OUT if name in ("af_heart", "am_michael") else 15) for name in _TRAINED),
    *(Voice(name, share=0, held_out=40) for name in _UNHEARD),
    *(Voice(name, share=0.3) for name in _blends()),
)


@dataclass(frozen=True)
class Reading:
    """One clip to make: `voice` reads `text` into `path`, which is relative to the manifest."""

    voice: Voice
    text: str
    split: Split
    path: str


def plan(sentences_per_voice: int, cache: Path) -> list[Reading]:
    """Return every reading, ordered so that an interrupted build leaves a balanced corpus.

    Each training sentence is read by one voice only. Held-out readings come first; in what follows, every voice
    has always read the same share of its training sentences. Raises `BadArguments` if there are not enough sentences.
    """
    pool = texts(sentences(Lexicon.english(), cache))
    held_out = [text for text in pool if _has_held_out_word(text)][:HELD_OUT]
    rest = [text for text in pool if not _has_held_out_word(text)]
    counts = range(sentences_per_voice + 1)
    most = bisect_right(counts, len(rest), key=lambda count: sum(_trained(voice, count) for voice in VOICES)) - 1
    if most < sentences_per_voice:
        raise BadArguments(
            f"{sentences_per_voice} sentences a voice are more than there are; give at most {most} (--sentences)."
        )
    trained = iter(rest)
    splits: list[Split] = ["test" if 2 * index >= HELD_OUT else "valid" for index in range(HELD_OUT)]
    readings: list[tuple[float, Reading]] = []
    for voice in VOICES:
        # A small corpus, made to try things out, has few held-out readings too.
        kept = HELD_OUT - min(voice.held_out, sentences_per_voice)
        chosen = list(zip(held_out, splits, strict=False))[kept:][::-1]
        read = [(text, split, 0.0) for text, split in chosen]
        count = _trained(voice, sentences_per_voice)
        read += [(text, "train", number / count) for number, text in enumerate(islice(trained, count), start=1)]
        readings += [
            (turn, Reading(voice, text, split, f"speech/{voice.name}/{number:04d}.flac"))
            for number, (text, split, turn) in enumerate(read, start=1)
        ]
    return [reading for _, reading in sorted(readings, key=itemgetter(0))]


def _trained(voice: Voice, sentences_per_voice: int) -> int:
    """How many training sentences a voice reads."""
    return round(voice.share * sentences_per_voice)


def is_held_out(word: str) -> bool:
    """Whether a word is one of the 2.5 % of longer ones, drawn by their spelling, that training never hears."""
    return len(word) > 4 and zlib.crc32(word.lower().encode()) % 40 == 0


def _has_held_out_word(text: str) -> bool:
    return any(map(is_held_out, words(text)))


def texts(pool: Sequence[str]) -> list[str]:
    """What is read in one clip: a sentence of `pool`, or two where both are short."""
    rng = np.random.default_rng(SEED)
    joined: list[str] = []
    unused = iter(pool)
    for sentence in unused:
        if rng.random() < LONG_SHARE and (second := next(unused, None)):
            both = f"{sentence} {second}"
            joined += [both] if len(words(both)) <= MAX_WORDS else [sentence, second]
        else:
            joined.append(sentence)
    return joined


def build_speech(
    out: Path, cache: Path, sentences_per_voice: int = 280, workers: int = 2, teacher: type[Kokoro] = Kokoro
) -> Path:
    """Synthesise the clips into `out/speech` (24 kHz mono 16-bit FLAC) and list them in `out/speech.jsonl`.

    Returns the manifest. A clip is listed as soon as it is written; a second call makes only what is missing, also
    what an interruption tore. `workers` processes of one thread each share the work, with a `teacher` in each.

    Raises:
        UnknownAsset: the teacher or a worker failed.
        BadArguments: `out` holds clips of other sentences or a malformed row.
    """
    manifest = out / "speech.jsonl"
    done = _whole(manifest) if manifest.is_file() else {}
    readings = plan(sentences_per_voice, cache)
    listed = {path: clip.transcript for path, clip in done.items()}
    if other := next((one.path for one in readings if listed.get(one.path, one.text) != one.text), None):
        raise BadArguments(f"{manifest} lists another sentence as {other}; build into an empty folder")
    todo = [one for one in readings if one.path not in done]
    out.mkdir(parents=True, exist_ok=True)
    write_manifest(manifest, done.values())
    if todo:
        teacher(cache)  # Fetched here and once: workers that fetch into one folder would tear each other's files.
    context = multiprocessing.get_context("spawn")
    processes, receivers = [], []
    for number in range(workers):
        receiver, sender = context.Pipe(duplex=False)
        arguments = (todo[number::workers], out, cache, teacher, sender)
        process = context.Process(target=_read_aloud, args=arguments, daemon=True)
        process.start()
        sender.close()
        processes.append(process)
        receivers.append(receiver)
    with manifest.open("a", encoding="utf-8") as file, Progress() as progress:
        bar = progress.add_task("speech", total=len(todo))
        while receivers:
            ready = wait(receivers)
            for receiver in [one for one in receivers if one in ready]:
                try:
                    clip: Clip = receiver.recv()
                except EOFError:
                    receivers.remove(receiver)
                    continue
                file.write(row(clip))
                file.flush()
                progress.advance(bar)
    for process in processes:
        process.join()
        if process.exitcode != 0:
            raise UnknownAsset(f"a speech worker ended with exit code {process.exitcode}; see above")
    return manifest


def _whole(manifest: Path) -> dict[str, Clip]:
    """The clips of a build by path, without those that its interruption tore: half a row, a clip lost or empty."""
    *rows, _ = manifest.read_bytes().split(b"\n")  # What follows the last line feed is half a row, or nothing.
    whole = {}
    for number, line in enumerate(rows, start=1):
        clip = read_row(line, f"{manifest}, line {number}")
        file = manifest.parent / clip.path
        if file.is_file() and file.stat().st_size:
            whole[clip.path] = clip
    return whole


def _read_aloud(readings: Sequence[Reading], out: Path, cache: Path, teacher: type[Kokoro], sender: Connection) -> None:
    """Make clips in a worker process and send their rows back; a closed connection means the end."""
    onnxruntime.set_seed(SEED)  # Kokoro draws noise inside its graphs.
    lexicon, kokoro = Lexicon.english(), teacher(cache)
    for reading in readings:
        voice = reading.voice
        wave = kokoro.speak(lexicon.pronounce(reading.text), voice.name)
        write_clip(out / reading.path, wave, RATE)
        sender.send(
            Clip(
                path=reading.path,
                seconds=round(len(wave) / RATE, 4),
                split=reading.split,
                licence=LICENCE,
                source=f"kokoro:{voice.name}",
                transcript=reading.text,
                speaker=voice.name,
                gender=voice.gender,
            )
        )
    sender.close()
