"""A bank that holds a few shards of a corpus at a time, and others as training goes on."""

from __future__ import annotations

import io
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch

from unison_engine.audio import decode_audio
from unison_engine.errors import BadArguments
from unison_train.corpus.manifest import Clip
from unison_train.corpus.shards import Shard, read_index, read_shard
from unison_train.synthesis.bank import ClipBank, Waves

Part = tuple[list[Clip], Waves]


class ShardedBank(ClipBank):
    """The clips of so many shards; every `steps` training steps, the one held longest gives way to the next.

    The shards come in an order of their own in each round through the corpus; where two rounds meet, one may be held
    twice for a while. Which ones are held at a step follows
    from the seed and the number of the step alone, so that a run that was killed goes on as if it had not been, and
    any number of processes draws the same. The next one is read ahead in a thread.

    Args:
        index: file of `unison_train.corpus.shards`; the shards lie beside it.
        split: whose clips.
        held: shards in memory. Where the split has no more, all are held, and nothing changes.
        steps: training steps from one exchange to the next.
        seed: of the order.
        sample_rate, device: see `ClipBank`.

    Raises:
        UnknownAsset, BadArguments: see `read_index`; or the split has no shard.
    """

    def __init__(
        self, index: Path, split: str, held: int, steps: int, seed: int, sample_rate: int, device: torch.device
    ) -> None:
        self.sample_rate, self.device = sample_rate, device
        self._folder, self._steps, self._seed = index.parent, steps, seed
        found = read_index(index)
        self._shards, self._summary = found.of(split), found.summary
        if not self._shards:
            raise BadArguments(f"{index} lists no shard of the split {split!r}; shard a corpus that has such clips.")
        self._held = min(held, len(self._shards))
        self._parts: deque[Part] = deque()
        self._first = -1
        """Place, in the order of all rounds, of the shard held longest."""
        self._reader = ThreadPoolExecutor(1, "shards")
        self._next: tuple[int, Future[Part]] | None = None
        self.advance(0)

    def advance(self, step: int) -> None:
        """See `ClipBank.advance`."""
        first = step // self._steps if self._held < len(self._shards) else 0
        if first == self._first:
            return
        kept = range(self._first, self._first + len(self._parts))
        self._parts = deque(
            self._parts[place - self._first] if place in kept else self._take(place)
            for place in range(first, first + self._held)
        )
        self._first = first
        self._hold(self._parts)
        if self._held < len(self._shards):
            coming = first + self._held
            self._next = coming, self._reader.submit(self._read, coming)

    def summary(self) -> dict[str, Any]:
        """See `ClipBank.summary`; tells of all shards, also of those not held."""
        return self._summary

    def _take(self, place: int) -> Part:
        if self._next is not None and self._next[0] == place:
            return self._next[1].result()
        return self._read(place)

    def _read(self, place: int) -> Part:
        shard = self._at(place)
        found = list(read_shard(self._folder, shard))
        clips = [clip for clip, _ in found]
        waves = (decode_audio(io.BytesIO(file), self.sample_rate, f"{shard.name}: {clip.path}") for clip, file in found)
        return clips, Waves(clips, waves, self.sample_rate, self.device)

    def _at(self, place: int) -> Shard:
        """The shard at a place in the order of all rounds."""
        turn, position = divmod(place, len(self._shards))
        return self._shards[int(np.random.default_rng([self._seed, turn]).permutation(len(self._shards))[position])]
