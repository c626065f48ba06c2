"""How written words are spoken: phones of American English, and how long each of them takes.

Phones are those of the CMU Pronouncing Dictionary (ARPAbet); a vowel ends in 1 where it is stressed, in 0 where not.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from unison_engine.errors import BadArguments

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
_TOKEN = re.compile(
    r"""[A-Za-z]+(?:'[A-Za-z]+)*
    | \d{1,2}:\d\d(?!\d)             # time of day
    | \d+(?:st|nd|rd|th)\b
    | [$\u00a3\u20ac]?\d+(?:,\d{3})*(?:\.\d+)?
    | [%&+@=\u00b0]
    | (?<![\w-])-(?=\d)
    | [,;:.?!\u2014\u2026()]           # pauses
    """,
    re.VERBOSE,
)
_SIGNS = {"%": "percent", "&": "and", "+": "plus", "@": "at", "=": "equals", "-": "minus", "\u00b0": "degrees"}
_MONEY = {"$": "dollar", "\u00a3": "pound", "\u20ac": "euro"}
# Classes of sounds that decide how the endings -s and -ed are spoken.
_HISSING = frozenset("S Z SH ZH CH JH".split())
_VOICELESS = frozenset("P T K F TH S SH CH".split())
# Shorter parts make compounds of words that are none.
_SHORTEST_PART = 4


# How many letters to each side of a letter may decide how it sounds.
_REACH = 4


def contexts(word: str, position: int, before: Sequence[str]) -> Iterator[str]:
    """Ever longer neighbourhoods of the letter at `position`: itself, the next, how the one before sounds, its letter,
    the next but one, and so on to both sides. A place outside the word is "_".
    """
    padded = "_" * _REACH + word + "_" * _REACH
    centre = position + _REACH
    known = padded[centre]
    yield known
    known += padded[centre + 1]
    yield known
    known += f"<{'.'.join(before)}>"
    yield known
    known += padded[centre - 1]
    yield known
    for distance in range(2, _REACH + 1):
        for place in (centre + distance, centre - distance):
            known += padded[place]
            yield known


class LetterSounds:
    """How words sound that no dictionary has, letter by letter.

    Args:
        table: phones of a letter by its neighbourhood (see `contexts`), of which the longest known one decides; it
            must know every letter from a to z by itself.
    """

    def __init__(self, table: Mapping[str, tuple[str, ...]]) -> None:
        self.table = dict(table)

    @classmethod
    @cache
    def english(cls) -> LetterSounds:
        """Learned from the CMU Pronouncing Dictionary by `unison-train letters`, read once."""
        return cls.loads((resources.files("unison_engine") / "cmudict" / "letters.txt").read_text(encoding="utf-8"))

    def pronounce(self, word: str) -> list[str]:
        """Phones of a word in the letters a to z."""
        phones: list[str] = []
        sound: tuple[str, ...] = ()
        for position in range(len(word)):
            *_, sound = (self.table[one] for one in contexts(word, position, sound) if one in self.table)
            phones += sound
        return phones

    def dumps(self) -> str:
        """One neighbourhood a line, followed by its phones."""
        return "".join(" ".join((context, *phones)) + "\n" for context, phones in sorted(self.table.items()))

    @classmethod
    def loads(cls, text: str) -> LetterSounds:
        """Read what `dumps` wrote."""
        rows = (line.split() for line in text.splitlines())
        return cls({context: tuple(phones) for context, *phones in rows})


class Lexicon:
    """Pronunciations of words, in the format of the CMU Pronouncing Dictionary.

    Args:
        text: one word a line, lower case, followed by its phones; the first of several pronunciations counts.

    Attributes:
        entries: phones of every listed word.
    """

    def __init__(self, text: str) -> None:
        self.entries: dict[str, tuple[str, ...]] = {}
        for line in text.splitlines():
            word, *phones = line.partition("#")[0].split()
            if not word.endswith(")"):
                self.entries[word] = tuple(_two_stresses(phone) for phone in phones)

    @classmethod
    @cache
    def english(cls) -> Lexicon:
        """The CMU Pronouncing Dictionary (2-clause BSD licence), read once."""
        return cls((resources.files("unison_engine") / "cmudict" / "cmudict.dict").read_text(encoding="utf-8"))

    def __contains__(self, word: str) -> bool:
        return word.lower() in self.entries

    def pronounce(self, text: str) -> list[str]:
        """Symbols of a text: phones, a space between words, a comma or an end where the text pauses.

        A word that is not listed is spoken as the inflected form or the compound of listed ones, or else as its
        letters suggest; up to five capitals are spelled.

        Raises:
            BadArguments: a letter is not one of English.
        """
        symbols: list[str] = []
        for token in _tokens(text):
            if _is_pause(token):
                pause = token if token in PAUSES else ","
                if symbols and symbols[-1] not in PAUSES:
                    symbols.append(pause)
                continue
            for word in _written(token):
                if symbols:
                    symbols.append(BETWEEN_WORDS)
                symbols += self._word(word)
        return symbols

    def _word(self, word: str) -> Sequence[str]:
        lower = word.lower()
        if lower in self.entries:
            phones = self.entries[lower]
            return [phone.replace("1", "0") for phone in phones] if lower in _WEAK else phones
        if word.isupper() and word.isalpha() and len(word) <= 5:
            return [phone for letter in lower for phone in self.entries[f"{letter}."]]
        if lower.endswith("'s"):
            stem = self._word(word[:-2])
            return [*stem, *_s(stem[-1])]
        return (
            self._inflected(lower) or self._compound(lower) or LetterSounds.english().pronounce(lower.replace("'", ""))
        )

    def _inflected(self, word: str) -> Sequence[str]:
        """Phones of a listed word with -s, -ed or -ing; nothing if it is none."""
        for ending, sound in (("s", _s), ("ed", _ed), ("ing", _ing)):
            stem = word.removesuffix(ending)
            if stem == word or len(stem) < 2:
                continue
            # talk-ed, smile-d, clap-ped, try -> tried, tries
            candidates = [stem, stem + "e", stem.removesuffix("e"), re.sub("ie?$", "y", stem)]
            if stem[-1] == stem[-2]:
                candidates.append(stem[:-1])
            for candidate in candidates:
                if phones := self.entries.get(candidate):
                    return [*phones, *sound(phones[-1])]
        return ()

    def _compound(self, word: str) -> Sequence[str]:
        """Phones of two listed words that make up this one, the longer the shorter of them the better; or nothing."""
        places = range(_SHORTEST_PART, len(word) - _SHORTEST_PART + 1)
        for place in sorted(places, key=lambda place: abs(2 * place - len(word))):
            first, second = self.entries.get(word[:place]), self.entries.get(word[place:])
            if first and second:
                return [*first, *second]
        return ()


def natural_seconds(symbols: Sequence[str]) -> float:
    """How long a pronunciation takes at the pace of a calm reader; a pause at the end is not counted."""
    spoken = symbols[:-1] if symbols and symbols[-1] in PAUSES else symbols
    return sum(_MILLISECONDS[symbol] for symbol in spoken) / 1000


def reading_seconds(text: str) -> float:
    """How long a calm reader takes for a text of any language.

    English goes by its phones. Of other scripts, a wide character counts as a syllable of Mandarin, of which 5.2 are
    spoken in a second (Pellegrino et al. 2011), and any other letter as a 14th of a second, as in English on average.
    """
    try:
        return natural_seconds(Lexicon.english().pronounce(text))
    except BadArguments:
        letters = [character for character in text if character.isalnum()]
        wide = sum(unicodedata.east_asian_width(letter) in "WF" for letter in letters)
        return wide / 5.2 + (len(letters) - wide) / 14


def symbol_times(symbols: Sequence[str], start: float, end: float) -> NDArray[np.float64]:
    """Middle of each symbol in seconds, [symbols], where the whole is spoken from `start` to `end`.

    Only the proportions are natural: the pace is whatever fills the time.
    """
    lengths = np.array([_MILLISECONDS[symbol] for symbol in symbols]) / 1000
    ends = np.cumsum(lengths)
    middles: NDArray[np.float64] = start + (ends - lengths / 2) * (end - start) / natural_seconds(symbols)
    return middles


def words(text: str) -> list[str]:
    """The words of a text in lower case, numbers and signs written out, without punctuation.

    Raises:
        BadArguments: a letter is not one of English.
    """
    return [word.lower() for token in _tokens(text) if not _is_pause(token) for word in _written(token)]


def _tokens(text: str) -> list[str]:
    """Words, numbers, signs and pauses of a text; accents are dropped, and so is what has no sound."""
    apart = unicodedata.normalize("NFKD", text.replace("\u2019", "'"))
    plain = "".join(character for character in apart if not unicodedata.combining(character))
    if foreign := next((one for one in plain if one.isalnum() and not one.isascii()), None):
        raise BadArguments(
            f"{foreign!r} in {text!r} is not a letter or digit of English, the only language that is spoken; "
            "write the words as an English reader would say them."
        )
    return _TOKEN.findall(plain)


def _is_pause(token: str) -> bool:
    return not token[-1].isalnum() and token not in _SIGNS


def _written(token: str) -> list[str]:
    """Words of a token: numbers and signs are written out, anything else is a word already."""
    if token in _SIGNS:
        return [_SIGNS[token]]
    if token[0] in _MONEY:
        whole, _, cents = token[1:].replace(",", "").partition(".")
        unit = _MONEY[token[0]]
        return [*_number(whole), unit if whole == "1" else f"{unit}s", *(_number(cents) if cents.strip("0") else ())]
    if ":" in token:
        hours, minutes = token.split(":")
        if minutes == "00":
            return [*_number(hours), "o'clock"]
        return [*_number(hours), *(["oh"] if minutes[0] == "0" else []), *_number(minutes)]
    return _number(token.replace(",", "")) if token[0].isdigit() else [token]


@cache
def _number_words() -> Callable[[str], object]:
    # Imported here, since it takes longer than all else together, and few lines hold numbers.
    import inflect

    return inflect.engine().number_to_words


def _number(digits: str) -> list[str]:
    """A number in words; one that looks like a year is read as one."""
    if re.fullmatch(r"(1[1-9]|20)[1-9]\d", digits):
        return [*_number(digits[:2]), *_number(digits[2:])]
    return re.findall("[a-z]+", str(_number_words()(digits)))


def _s(last: str) -> list[str]:
    """How -s is spoken after a phone."""
    return ["IH0", "Z"] if last in _HISSING else ["S"] if last in _VOICELESS else ["Z"]


def _ed(last: str) -> list[str]:
    """How -ed is spoken after a phone."""
    return ["IH0", "D"] if last in ("T", "D") else ["T"] if last in _VOICELESS else ["D"]


def _ing(last: str) -> list[str]:
    """How -ing is spoken, whatever comes before."""
    return ["IH0", "NG"]


def _two_stresses(phone: str) -> str:
    """Secondary stress counts as stress."""
    return phone.replace("2", "1")
