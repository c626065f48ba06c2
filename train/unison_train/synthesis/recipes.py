"""What to mix for one training tuple, drawn without touching audio.

Every draw takes two generators. `words` fixes the prompt, `sound` everything that the prompt does not say (which
clip, where, how loud). Seeding `words` with a small number gives a finite set of prompts, whose language-model states
can be cached, while the sound under them never repeats.
"""

from __future__ import annotations

from collections.abc import Callable

from unison_train.synthesis import edits, generation
from unison_train.synthesis.bank import ClipBank
from unison_train.synthesis.pieces import Pieces, Rng
from unison_train.synthesis.recipe import Placement, Recipe, Room, decibels
from unison_train.synthesis.settings import Synthesis
from unison_train.synthesis.tasks import EDIT_TASKS, GENERATION_TASKS, TASKS

__all__ = [
    "EDIT_TASKS",
    "GENERATION_TASKS",
    "TASKS",
    "Composer",
    "Placement",
    "Recipe",
    "Room",
    "decibels",
]

# A sub-task is the function of its name.
_DRAWS: dict[str, Callable[[Pieces, Rng, Rng], Recipe]] = {
    task: getattr(generation if task in GENERATION_TASKS else edits, task) for task in TASKS
}


class Composer:
    """Draws recipes of each sub-task of UNISON (arXiv 2605.31530) from a bank of clips.

    Args:
        bank: the clips.
        max_seconds: the longest tuple.
        settings: levels, lengths and shares.
        silent: see `Pieces`.
    """

    def __init__(self, bank: ClipBank, max_seconds: float, settings: Synthesis, silent: bool) -> None:
        self.pieces = Pieces(bank, settings, max_seconds, silent)

    def draw(self, task: str, words: Rng, sound: Rng) -> Recipe:
        """A recipe of the named sub-task.

        Raises:
            BadArguments: the bank lacks the clips that the sub-task needs.
        """
        return _DRAWS[task](self.pieces, words, sound)
