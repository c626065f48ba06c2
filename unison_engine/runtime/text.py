"""From a prompt to what the network is told: tokens for the language model, and the phones of spoken words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer

from unison_engine.conditioning import Line
from unison_engine.errors import BadArguments, TooLarge
from unison_engine.prompts import spoken_spans, timed_spans
from unison_engine.pronunciation import SYMBOLS, Lexicon, symbol_times

SYSTEM = "Imagine how this scene, voice or edit sounds."
MAX_TOKENS = 128
MAX_PHONES = 320
UNSPOKEN = -8.0
_OPENING = "<|im_start|>user\n"
Padding = Literal["left", "right"]
_NUMBERS = {symbol: number for number, symbol in enumerate(SYMBOLS, start=1)}


@dataclass(frozen=True)
class TextClock:
    """A rough guess of when each character is spoken: `offset + frames_per_character * character`, in latent frames."""

    offset: float
    frames_per_character: float


@dataclass(frozen=True)
class Template:
    """How a prompt stands in a ChatML exchange, and how much of it the network sees.

    Attributes:
        system: the system turn; None for an exchange without one.
        answer: what the model's turn begins with, such as the empty thoughts that keep a Qwen3 from thinking.
        window: most tokens that the network sees.
        padding: with "right" it sees the user's turn alone; with "left" the end of the system turn fills the window.

    A batch padded to a fixed length whose first tokens, as many as the system turn has, are cut off leaves just this,
    by the side it was padded on. Padding itself is never fed: no token attends to it, and rotary attention sees only
    the distance of two tokens, so positions may as well start behind it.
    """

    system: str | None = SYSTEM
    answer: str = ""
    window: int = MAX_TOKENS
    padding: Padding = "right"

    @property
    def head(self) -> str:
        """Everything before the user's turn."""
        return "" if self.system is None else f"<|im_start|>system\n{self.system}<|im_end|>\n"


@dataclass(frozen=True)
class PromptTokens:
    """A prompt as the language model and the network see it.

    Attributes:
        ids: all token ids, system turn first.
        kept: how many tokens at the end the network sees; what is in front of them is cut off.
        positions: [kept] frame to which each kept token belongs, -8 for tokens that have no time.
    """

    ids: list[int]
    kept: int
    positions: NDArray[np.float32]


@dataclass(frozen=True)
class Phones:
    """Spoken words as the network sees them.

    Attributes:
        ids: [N] int64, a 0 that opens the sequence, then numbers of `unison_engine.pronunciation.SYMBOLS` from 1.
        positions: [N] frame at which each is spoken, -8 for the opening.
    """

    ids: NDArray[np.int64]
    positions: NDArray[np.float32]


NO_PHONES = Phones(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.float32))


def phones(lines: Sequence[Line], frame_rate: float) -> Phones:
    """Phones of all lines, at `frame_rate` latent frames a second.

    Raises:
        BadArguments: a line holds no word that can be spoken.
        TooLarge: there is more to say than the network was trained on.
    """
    ids, times = [0], [UNSPOKEN / frame_rate]
    for line in lines:
        symbols = Lexicon.english().pronounce(line.text)
        if not symbols:
            raise BadArguments(f"{line.text!r} holds no word to say; write it in the letters of English.")
        ids += [_NUMBERS[symbol] for symbol in symbols]
        times += symbol_times(symbols, line.start, line.end).tolist()
    if len(ids) > MAX_PHONES:
        raise TooLarge(f"the words to say have {len(ids)} phones, the model speaks at most {MAX_PHONES}; say less.")
    return Phones(np.array(ids, dtype=np.int64), np.array(times, dtype=np.float32) * np.float32(frame_rate))


class PromptTokenizer:
    """Wraps a prompt in a ChatML exchange and tokenises it.

    Args:
        tokenizer: of the language model.
        clock: places spoken characters in time; None leaves tokens without position.
        silent: leave out the spoken words, which the network is told as phones.
        template: the exchange.
        event_rate: latent frames a second, to spread the tokens that tell of an event from its start to its end;
            None leaves them without position.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        clock: TextClock | None,
        silent: bool = False,
        template: Template | None = None,
        event_rate: float | None = None,
    ) -> None:
        self._tokenizer = tokenizer
        self._clock = clock
        self._event_rate = event_rate
        self.silent = silent
        self.template = template or Template()
        self.prefix: list[int] = tokenizer.encode(self.template.head, add_special_tokens=False).ids

    def read(self, prompt: str) -> str:
        """What the language model reads of a prompt."""
        if self.silent:
            for start, end in reversed(spoken_spans(prompt)):
                prompt = prompt[:start] + prompt[end:]
        return prompt

    def __call__(self, prompt: str) -> PromptTokens:
        """Tokenise.

        Raises:
            TooLarge: the prompt has more tokens than the network was trained on.
        """
        prompt = self.read(prompt)
        encoded = self._encode(prompt)
        window, ids = self.template.window, self.prefix + encoded.ids
        if len(encoded.ids) > window:
            raise TooLarge(f"the prompt has {len(encoded.ids)} tokens, the model reads at most {window}; shorten it.")
        kept = min(window, len(ids)) if self.template.padding == "left" else len(encoded.ids)
        positions = np.full(kept, UNSPOKEN, dtype=np.float32)
        positions[-len(encoded.ids) :] = self._positions(prompt, encoded.offsets, len(_OPENING))
        return PromptTokens(ids, kept, positions)

    def fits(self, prompt: str) -> bool:
        """Whether there is room for a prompt, that is, a call does not raise `TooLarge`."""
        return len(self._encode(self.read(prompt)).ids) <= self.template.window

    def _encode(self, read: str) -> Encoding:
        turn = f"{_OPENING}{read}<|im_end|>\n<|im_start|>assistant\n{self.template.answer}"
        return self._tokenizer.encode(turn, add_special_tokens=False)

    def _positions(self, prompt: str, offsets: list[tuple[int, int]], shift: int) -> NDArray[np.float32]:
        positions = np.full(len(offsets), UNSPOKEN, dtype=np.float32)
        if self._event_rate is not None:
            for start, end, begins, ends in timed_spans(prompt):
                told = [token for token, (first, last) in enumerate(offsets) if start + shift <= first < end + shift]
                positions[told] = np.linspace(begins, ends, len(told)) * self._event_rate
        if self._clock is None:
            return positions
        spoken_before = 0
        for start, end in spoken_spans(prompt):
            for token, (first, last) in enumerate(offsets):
                first, last = max(first - shift, start), min(last - shift, end)
                if first < last:
                    character = spoken_before + (first + last) / 2 - start
                    positions[token] = self._clock.offset + self._clock.frames_per_character * character
            spoken_before += end - start
        return positions
