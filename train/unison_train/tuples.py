"""The stream of training batches: one task each, seeded, resumable."""

from __future__ import annotations

import zlib
from collections.abc import Callable

import numpy as np

from unison_engine.errors import BadArguments, TooLarge
from unison_engine.layout import LatentLayout
from unison_engine.runtime.text import phones
from unison_train.config import TrainConfig
from unison_train.synthesis.bank import ClipBank
from unison_train.synthesis.recipes import Composer, Recipe
from unison_train.synthesis.render import Batch, render

# Tuples are drawn several batches at a time and cut into batches of like length, so that little is padding.
_LOOK_AHEAD = 4
_DRAWS = 50


class TupleStream:
    """Draws task-homogeneous batches of about `frames_per_batch` latent frames.

    The state of a run is the state of one generator, so a resumed run sees the batches it would have seen.

    Args:
        bank: clips.
        layout: the latent grid.
        config: the recipe.
        silent: whether the language model reads prompts without the words that are spoken.
        fits: whether the language model has room for a prompt; others are drawn again.
    """

    def __init__(
        self,
        bank: ClipBank,
        layout: LatentLayout,
        config: TrainConfig,
        silent: bool,
        fits: Callable[[str], bool] = lambda prompt: True,
    ) -> None:
        self._composer = Composer(bank, config.data.max_seconds, config.synthesis, silent)
        self._bank = bank
        self._layout = layout
        self._fits = fits
        self._silent = silent
        self._config = config
        self.rng = np.random.default_rng(config.run.seed)

    def batch(self, step: int) -> tuple[str, Batch]:
        """Sub-task and rendered batch of a training step."""
        self._bank.advance(step)
        shares = self._config.shares(step)
        task = str(self.rng.choice(list(shares), p=list(shares.values())))
        return task, render(self._recipes(task), self._bank, self._layout)

    def examples(self, task: str, seed: int, count: int = 1) -> Batch:
        """Tuples of a sub-task that depend on nothing but the seed."""
        rng = np.random.default_rng(seed)
        drawn = [self._fitting(lambda: self._composer.draw(task, rng, rng)) for _ in range(count)]
        return render(drawn, self._bank, self._layout)

    def _recipes(self, task: str) -> list[Recipe]:
        budget = self._config.run.frames_per_batch
        drawn: list[Recipe] = []
        frames = 0
        while frames < _LOOK_AHEAD * budget:
            drawn.append(self._fitting(lambda: self._draw(task)))
            frames += self._frames(drawn[-1])
        drawn.sort(key=lambda recipe: recipe.samples)
        groups: list[list[Recipe]] = [[]]
        for recipe in drawn:
            # Sorted by length, so the newcomer is the longest and decides the padded size.
            if groups[-1] and (len(groups[-1]) + 1) * self._frames(recipe) > budget:
                groups.append([])
            groups[-1].append(recipe)
        # By their frames: the rest that filled no group is drawn as seldom as it is small.
        sizes = np.array([sum(map(self._frames, group)) for group in groups])
        return groups[int(self.rng.choice(len(groups), p=sizes / sizes.sum()))]

    def _fitting(self, draw: Callable[[], Recipe]) -> Recipe:
        for _ in range(_DRAWS):
            recipe = draw()
            if self._fits(recipe.prompt) and (not self._silent or self._can_be_said(recipe)):
                return recipe
        raise BadArguments(
            f"of {_DRAWS} prompts drawn one after another, none has room in the language model and words that can be "
            f"pronounced; the last was {recipe.prompt!r}. Shorten the captions and transcripts, write them in the "
            "letters of English, or leave out the tasks that join them."
        )

    def _can_be_said(self, recipe: Recipe) -> bool:
        try:
            phones(recipe.lines, self._layout.frame_rate)
        except (BadArguments, TooLarge):
            return False
        return True

    def _frames(self, recipe: Recipe) -> int:
        return self._layout.grid(recipe.samples)[1]

    def _draw(self, task: str) -> Recipe:
        if task == "t2a_single":  # Its prompts are the captions: there are no more of them, and none must be missed.
            return self._composer.draw(task, self.rng, self.rng)
        prompts = self._config.data.prompts_per_task
        if not self._silent:  # Lines are drawn with their prompts, so fewer would leave some unheard.
            prompts = max(prompts, len(self._bank.lines))
        prompt = int(self.rng.integers(prompts))
        words = np.random.default_rng([zlib.crc32(task.encode()), prompt])
        return self._composer.draw(task, words, self.rng)
