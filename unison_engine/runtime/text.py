"""From a prompt to the tokens the language model reads, and where in time its spoken characters lie."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from unison_engine.errors import TooLarge
from unison_engine.prompts import spoken_spans

SYSTEM = "Imagine how this scene, voice or edit sounds."
MAX_TOKENS = 128
UNSPOKEN = -8.0


@dataclass(frozen=True)
class TextClock:
    """A rough guess of when each character is spoken: `offset + frames_per_character * character`, in latent frames."""

    offset: float
    frames_per_character: float


@dataclass(frozen=True)
class PromptTokens:
    """A prompt as the language model and the network see it.

    Attributes:
        ids: all token ids, system turn first.
        kept: how many tokens at the end the network sees; the system turn in front of them is cut off.
        positions: [kept] frame at which each kept token is spoken, -8 for tokens that are not.
    """

    ids: list[int]
    kept: int
    positions: NDArray[np.float32]


class PromptTokenizer:
    """Wraps a prompt in a ChatML exchange and tokenises it."""

    def __init__(self, tokenizer: Tokenizer, clock: TextClock | None, system: str = SYSTEM) -> None:
        self._tokenizer = tokenizer
        self._clock = clock
        self._head = f"<|im_start|>system\n{system}<|im_end|>\n"
        self.prefix: list[int] = tokenizer.encode(self._head, add_special_tokens=False).ids

    def __call__(self, prompt: str) -> PromptTokens:
        """Tokenise.

        Raises:
            TooLarge: the prompt has more tokens than the network was trained on.
        """
        opening = "<|im_start|>user\n"
        turn = f"{opening}{prompt}<|im_end|>\n<|im_start|>assistant\n"
        encoded = self._tokenizer.encode(turn, add_special_tokens=False)
        if len(encoded.ids) > MAX_TOKENS:
            raise TooLarge(
                f"the prompt has {len(encoded.ids)} tokens, the model reads at most {MAX_TOKENS}; shorten it."
            )
        positions = self._positions(prompt, encoded.offsets, len(opening))
        return PromptTokens(self.prefix + encoded.ids, len(encoded.ids), positions)

    def _positions(self, prompt: str, offsets: list[tuple[int, int]], shift: int) -> NDArray[np.float32]:
        positions = np.full(len(offsets), UNSPOKEN, dtype=np.float32)
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
