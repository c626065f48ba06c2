"""Every word is said: listed, inflected, compound, spelled, by its letters; numbers and signs are read out."""

from __future__ import annotations

import pytest

from unison_engine.errors import BadArguments
from unison_engine.pronunciation import LetterSounds, Lexicon, natural_seconds, reading_seconds, symbol_times, words
from unison_train.letters import learn


@pytest.mark.parametrize(
    ("text", "symbols"),
    [
        ("The cat, then?", "DH AH0 ~ K AE1 T , ~ DH EH1 N ?"),
        ("glitched", "G L IH1 CH T"),
        ("muted", "M Y UW1 T IH0 D"),
        ("orcs", "AO1 R K S"),
        ("Zorblax's", "Z ER0 B L AE1 K S IH0 Z"),
        ("soundscape", "S AW1 N D S K EY1 P"),
        ("GPU", "JH IY1 P IY1 Y UW1"),
        ("na\u00efve, don\u2019t", "N AY1 IY1 V , ~ D OW1 N T"),
    ],
)
def test_words_are_said(text: str, symbols: str) -> None:
    assert " ".join(Lexicon.english().pronounce(text)) == symbols.replace("~", " ")


@pytest.mark.parametrize("word", ["kubernetes", "frobnicator", "xyzzy", "qwlrt"])
def test_no_word_is_silent(word: str) -> None:
    assert word not in Lexicon.english()
    assert len(Lexicon.english().pronounce(word)) >= 3


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("$5.50", "five dollars fifty"),
        ("$1", "one dollar"),
        ("the 21st of May 1984", "the twenty first of may nineteen eighty four"),
        ("at 10:05, at 9:00", "at ten oh five at nine o'clock"),
        ("1,200 & 50%", "one thousand two hundred and fifty percent"),
        ("-3.5\u00b0", "minus three point five degrees"),
        ("R2D2, six-4", "r two d two six four"),
    ],
)
def test_numbers_and_signs_are_written_out(text: str, spoken: str) -> None:
    assert " ".join(words(text)) == spoken


def test_a_foreign_letter_is_refused_by_name() -> None:
    with pytest.raises(BadArguments, match="'\u043f' in '\u043f\u0440\u0438\u0432\u0435\u0442'"):
        Lexicon.english().pronounce("\u043f\u0440\u0438\u0432\u0435\u0442")


def test_symbols_fill_the_time_in_order() -> None:
    symbols = Lexicon.english().pronounce("Stop, thief!")
    times = symbol_times(symbols, 1.0, 2.5)
    assert (times[1:] > times[:-1]).all()
    assert times[0] > 1.0
    assert times[-2] < 2.5
    assert 0.5 < natural_seconds(symbols) < 1.5


def test_letters_learn_what_a_dictionary_shows() -> None:
    listed = {word: tuple(word.upper().replace("X", "KS")) for word in ("ox", "tax", "fox", "exit", "six", "it", "tie")}
    sounds = learn(listed)
    assert "".join(sounds.pronounce("taxi")) == "TAKSI"
    assert sounds.table == LetterSounds.loads(sounds.dumps()).table


def test_other_languages_take_their_time_too() -> None:
    assert reading_seconds("The train leaves at nine.") == natural_seconds(
        Lexicon.english().pronounce("The train leaves at nine.")
    )
    assert 1.0 < reading_seconds("火车九点开出车站") < 2.5
    assert 1.0 < reading_seconds("Поезд отправляется в девять") < 2.5
    assert reading_seconds("...") == 0.0
