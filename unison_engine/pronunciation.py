"""How written words are spoken: phones of American English, and how long each of them takes.

Phones are those of the CMU Pronouncing Dictionary (ARPAbet); a vowel ends in 1 where it is stressed, in 0 where not.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from importlib import resources

import inflect
import numpy as np
from numpy.typing import NDArray

# Milliseconds that each vowel takes with stress, and without; means over 400 sentences of the Piper voice "joe".
_VOWELS = {
    **{"AA": (157, 97), "AE": (146, 48), "AH": (113, 46), "AO": (148, 75), "AW": (159, 86), "AY": (176, 93)},
    **{"EH": (114, 49), "ER": (163, 53), "EY": (157, 94), "IH": (107, 47), "IY": (142, 57), "OW": (156, 102)},
    **{"OY": (185, 105), "UH": (108, 48), "UW": (134, 81)},
}
_CONSONANTS = {
    **dict.fromkeys("B D DH F G HH K L M N NG P R SH T V W Y ZH".split(), 47),
    **{"CH": 101, "JH": 83, "S": 57, "TH": 55, "Z": 62},
}
BETWEEN_WORDS = " "
PAUSES = {",": 150, ".": 250, "?": 250, "!": 250}
_MILLISECONDS = {
    **{vowel + mark: time for vowel, times in _VOWELS.items() for mark, time in zip("10", times, strict=True)},
    **_CONSONANTS,
    BETWEEN_WORDS: 49,
    **PAUSES,
}
SYMBOLS = tuple(_MILLISECONDS)
"""What a pronunciation is made of; the place of a symbol in this tuple is its number in a network, counted from 1."""

# Words that carry no stress inside a sentence.
_WEAK = frozenset(
    "a an and are as at be been but by can could do for from had has have he her him his i if in into is it its me my "
    "nor of on or our shall she should so some than that the their them there they this to us was we were will with "
    "would you your".split()
)
_TOKEN = re.compile(r"[A-Za-z]+(?:'[A-Za-z]+)*|\d[\d,]*(?:\.\d+)?|[,;:.?!\u2014\u2026()]")
_WORDS = inflect.engine()


class Lexicon:
    """Pronunciations of words, in the format of the CMU Pronouncing Dictionary.

    Args:
        text: one word a line, lower case, followed by its phones; the first of several pronunciations counts.
    """

    def __init__(self, text: str) -> None:
        self._phones: dict[str, tuple[str, ...]] = {}
        for line in text.splitlines():
            word, *phones = line.partition("#")[0].split()
            if not word.endswith(")"):
                self._phones[word] = tuple(_two_stresses(phone) for phone in phones)

    @classmethod
    @cache
    def english(cls) -> Lexicon:
        """The CMU Pronouncing Dictionary (2-clause BSD licence), read once."""
        return cls((resources.files("unison_engine") / "cmudict" / "cmudict.dict").read_text(encoding="utf-8"))

    def __contains__(self, word: str) -> bool:
        return word.lower() in self._phones

    def pronounce(self, text: str) -> list[str]:
        """Symbols of a text: phones, a space between words, a comma or an end where the text pauses."""
        symbols: list[str] = []
        for token in _TOKEN.findall(text):
            if not token[0].isalnum():
                pause = token if token in PAUSES else ","
                if symbols and symbols[-1] not in PAUSES:
                    symbols.append(pause)
                continue
            for word in _written(token):
                if symbols:
                    symbols.append(BETWEEN_WORDS)
                symbols += self._word(word)
        return symbols

    def _word(self, word: str) -> list[str]:
        lower = word.lower()
        if lower in self._phones:
            phones = self._phones[lower]
            return [phone.replace("1", "0") for phone in phones] if lower in _WEAK else list(phones)
        if word.isupper() and len(word) <= 5:
            return [phone for letter in lower for phone in self._phones[letter]]
        return []


def natural_seconds(symbols: Sequence[str]) -> float:
    """How long a pronunciation takes at the pace of a calm reader; a pause at the end is not counted."""
    spoken = symbols[:-1] if symbols and symbols[-1] in PAUSES else symbols
    return sum(_MILLISECONDS[symbol] for symbol in spoken) / 1000


def symbol_times(symbols: Sequence[str], start: float, end: float) -> NDArray[np.float64]:
    """Middle of each symbol in seconds, [symbols], where the whole is spoken from `start` to `end`.

    Only the proportions are natural: the pace is whatever fills the time.
    """
    lengths = np.array([_MILLISECONDS[symbol] for symbol in symbols]) / 1000
    ends = np.cumsum(lengths)
    middles: NDArray[np.float64] = start + (ends - lengths / 2) * (end - start) / natural_seconds(symbols)
    return middles


def words(text: str) -> list[str]:
    """The words of a text in lower case, numbers written out, without punctuation."""
    tokens = (token for token in _TOKEN.findall(text) if token[0].isalnum())
    return [word.lower() for token in tokens for word in _written(token)]


def _written(token: str) -> list[str]:
    """Words of a token: a number is written out, anything else is a word already."""
    if not token[0].isdigit():
        return [token]
    spelled = _WORDS.number_to_words(token.replace(",", ""))
    return re.findall("[a-z]+", str(spelled))


def _two_stresses(phone: str) -> str:
    """Secondary stress counts as stress."""
    return phone.replace("2", "1")
