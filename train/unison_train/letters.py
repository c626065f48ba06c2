"""Learns how letters sound, from a pronouncing dictionary, for words that no dictionary has.

Every letter is aligned with none, one or two phones of its word (Viterbi training, the usual first step of
letter-to-sound learning). The engine then asks for the longest neighbourhood that was seen around a letter and takes
the phones that were most frequent there: a decision tree in the manner of IGTree (Daelemans and van den Bosch,
"Language-independent data-oriented grapheme-to-phoneme conversion", 1996).
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping

from unison_engine.pronunciation import LetterSounds, contexts

Phones = tuple[str, ...]
MOST_PHONES = 2
"""That one letter stands for: x is K S."""
ROUNDS = 4
_UNSEEN = -12.0


def learn(entries: Mapping[str, Phones]) -> LetterSounds:
    """Letter sounds of a dictionary; words with anything but the letters a to z teach nothing."""
    usable = {word: phones for word, phones in entries.items() if word.isalpha() and word.isascii()}
    counts: defaultdict[str, Counter[Phones]] = defaultdict(Counter)
    shorter: dict[str, str] = {}
    for word, sounds in _align(usable):
        for position, sound in enumerate(sounds):
            chain = list(contexts(word, position, sounds[position - 1] if position else ()))
            shorter |= zip(chain[1:], chain, strict=False)
            for context in chain:
                counts[context][sound] += 1
    table: dict[str, Phones] = {}
    # A longer context is kept only where it sounds unlike the one it extends, so shorter ones come first.
    for context in sorted(counts, key=len):
        (sound, _), *_ = counts[context].most_common(1)
        known = shorter.get(context)
        while known is not None and known not in table:
            known = shorter.get(known)
        if known is None or table[known] != sound:
            table[context] = sound
    return LetterSounds(table)


def _align(entries: Mapping[str, Phones]) -> Iterator[tuple[str, list[Phones]]]:
    """Every word with the phones of each of its letters; words that cannot be aligned are left out."""
    scores: dict[tuple[str, Phones], float] = {}
    for _ in range(ROUNDS):
        found: Counter[tuple[str, Phones]] = Counter()
        for word, phones in entries.items():
            found.update(zip(word, _best_path(word, phones, scores) or (), strict=False))
        total = Counter[str]()
        for (letter, _), count in found.items():
            total[letter] += count
        scores = {pair: math.log(count / total[pair[0]]) for pair, count in found.items()}
    for word, phones in entries.items():
        if sounds := _best_path(word, phones, scores):
            yield word, sounds


def _best_path(word: str, phones: Phones, scores: Mapping[tuple[str, Phones], float]) -> list[Phones] | None:
    """The likeliest split of `phones` into one piece per letter; without scores, one phone a letter is likeliest."""
    # After each letter: of each number of phones used, the score and the pieces.
    paths: dict[int, tuple[float, list[Phones]]] = {0: (0.0, [])}
    for index, letter in enumerate(word):
        longer: dict[int, tuple[float, list[Phones]]] = {}
        # What is left must still fit the letters that are left.
        fewest = len(phones) - MOST_PHONES * (len(word) - index - 1)
        for used, (score, pieces) in paths.items():
            for end in range(max(used, fewest), min(used + MOST_PHONES, len(phones)) + 1):
                piece = phones[used:end]
                step = scores.get((letter, piece), _UNSEEN) if scores else -abs(len(piece) - 1)
                if end not in longer or longer[end][0] < score + step:
                    longer[end] = (score + step, [*pieces, piece])
        paths = longer
    return paths[len(phones)][1] if len(phones) in paths else None
