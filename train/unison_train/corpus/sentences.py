"""Sentences to be read aloud: the usage examples of WordNet 3.0, short ordinary English of some 22,000 words."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

from unison_engine.pronunciation import Lexicon, words
from unison_train.corpus import fetch

WORDNET_SHA256 = "61060d960f9ada8fa120872312eccd3ecebfbab8c4579e4f5a74e1cf67620752"
MIN_WORDS, MAX_WORDS = 3, 14
_QUOTED = re.compile(r'"([^"]+)"')
_PLAIN = re.compile(r"[A-Za-z' ,.;:?!-]+")
# A dictionary also documents how people are insulted; nobody needs that read aloud.
_UNWANTED = re.compile(
    r"\b(nigg|negro|coon|kike|chink|gook|wetback|wop|faggot|dyke|queer|whore|slut|bitch|cunt|fuck|shit|cock|prick|rape"
    r"|sex|nazi|jew|arse|ass\b|piss|darky|spic\b|boche|kraut|cripple|moron|bastard|tit|breast|penis|vagina|semen)",
    re.IGNORECASE,
)


def sentences(lexicon: Lexicon, cache: Path = fetch.CACHE) -> list[str]:
    """Every usable sentence once, capitalised and with its end mark, in an order that depends on nothing but the texts.

    Each has 3 to 14 words and all of them are in the lexicon. Errors as `fetch.debian`.
    """
    folder = fetch.debian("wordnet-base", "1:3.0-37", WORDNET_SHA256, cache) / "usr" / "share" / "wordnet"
    kept = {_finished(text) for text in _examples(folder) if _usable(text, lexicon)}
    return sorted(kept, key=lambda text: hashlib.sha256(text.encode()).digest())


def _examples(folder: Path) -> Iterator[str]:
    """Quotations in the glosses, the part of a line behind the bar; lines of the licence start with blanks."""
    for part in ("noun", "verb", "adj", "adv"):
        for line in (folder / f"data.{part}").read_text(encoding="latin-1").splitlines():
            if not line.startswith("  "):
                yield from _QUOTED.findall(line.partition("|")[2])


def _usable(text: str, lexicon: Lexicon) -> bool:
    if not _PLAIN.fullmatch(text) or _UNWANTED.search(text):
        return False
    found = words(text)
    return MIN_WORDS <= len(found) <= MAX_WORDS and all(word in lexicon for word in found)


def _finished(text: str) -> str:
    text = text.strip(" ,;:-")
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "?", "!")) else ".")
