"""States of a frozen language model: computed once per prompt, kept on disk."""

from __future__ import annotations

import copy
import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from unison_engine.conditioning import Line
from unison_engine.runtime.text import (
    NO_PHONES,
    Padding,
    PromptTokenizer,
    PromptTokens,
    Template,
    TextClock,
    phones,
)
from unison_train.language_models import load_language_model
from unison_train.model.layers import layer_indices


@dataclass(frozen=True)
class TextBatch:
    """Padded text of several prompts: S language-model tokens and behind them the N phones of what is spoken.

    Without a phone encoder N is 0.

    Attributes:
        states: [depth, B, S, width].
        phones: [B, N] numbers, see `unison_engine.runtime.text.Phones`.
        mask: [B, S + N], 1 where a token counts.
        positions: [B, S + N] in frames.
    """

    states: Tensor
    phones: Tensor
    mask: Tensor
    positions: Tensor

    @property
    def phone_mask(self) -> Tensor:
        """The part of `mask` that belongs to the phones, [B, N]."""
        return self.mask[:, self.states.shape[2] :]


class LanguageModel:
    """A frozen causal language model, read layer by layer.

    Args:
        source, system, padding: see `load_language_model`.
        depth: number of blocks that want states.
        clock: see `TextClock`.
        silent, event_rate: see `PromptTokenizer`.
        device: where the model runs.
        dtype: precision of weights and activations.
        layers: the layer, from 1 on, that each block reads; None spreads them evenly.
    """

    def __init__(
        self,
        source: str,
        depth: int,
        clock: TextClock | None,
        silent: bool,
        device: torch.device,
        dtype: torch.dtype = torch.bfloat16,
        system: str | None = None,
        padding: Padding = "left",
        event_rate: float | None = None,
        layers: Sequence[int] | None = None,
    ) -> None:
        found = load_language_model(source, dtype, system, padding)
        self.decoder: Any = found.decoder.to(device).eval().requires_grad_(False)
        self.tokenizer = found.tokenizer
        self.tokenise = PromptTokenizer(found.tokenizer, clock, silent, found.template, event_rate)
        self.unit = found.unit
        self.sha256 = found.sha256
        self.device = device
        self.layers = list(layers or layer_indices(self.decoder.config.num_hidden_layers, depth))
        self.width = int(self.decoder.config.hidden_size)
        # The system turn is the same for all prompts, so its states, keys and values are computed once.
        self._past: Any = None
        self._before = torch.zeros(depth, 0, self.width, device=device)
        if self.tokenise.prefix:
            with torch.inference_mode():
                ids = torch.tensor([self.tokenise.prefix], device=device)
                out = self.decoder(ids, use_cache=True, output_hidden_states=True)
            self._past, self._before = out.past_key_values, self._select(out)[:, 0]

    @property
    def fingerprint(self) -> str:
        """Changes with anything that changes the states: weights, template, layers."""
        weights = [float(parameter.sum(dtype=torch.float32)) for parameter in self.decoder.parameters()]
        kind = (self.tokenise.template, self.unit)
        # What the default adds is in the prefix already, and states that were kept before there were others stay good.
        other = "" if kind == (Template(), True) else f" {kind}"
        return hashlib.sha256(f"{weights} {self.tokenise.prefix} {self.layers}{other}".encode()).hexdigest()[:16]

    @torch.inference_mode()
    def states(self, prompts: Sequence[PromptTokens]) -> list[Tensor]:
        """States of each prompt, float32 [depth, kept, width], every vector divided by its RMS where `unit` is set."""
        prefix = len(self.tokenise.prefix)
        own = [len(prompt.ids) - prefix for prompt in prompts]
        ids = torch.zeros(len(prompts), max(own), dtype=torch.long)
        mask = torch.zeros(len(prompts), prefix + max(own), dtype=torch.long)
        for row, prompt in enumerate(prompts):
            ids[row, : own[row]] = torch.tensor(prompt.ids[prefix:])
            mask[row, : len(prompt.ids)] = 1
        past = copy.deepcopy(self._past)
        if past is not None:
            past.batch_repeat_interleave(len(prompts))
        out = self.decoder(
            ids.to(self.device), attention_mask=mask.to(self.device), past_key_values=past, output_hidden_states=True
        )
        selected = self._select(out)
        whole = [torch.cat([self._before, selected[:, row, :length]], dim=1) for row, length in enumerate(own)]
        return [states[:, -prompt.kept :].cpu() for states, prompt in zip(whole, prompts, strict=True)]

    def _select(self, out: Any) -> Tensor:
        """States of the layers that are read, float32 [depth, B, S, width]."""
        states = torch.stack([out.hidden_states[layer] for layer in self.layers]).float()
        return states * torch.rsqrt(states.square().mean(-1, keepdim=True) + 1e-6) if self.unit else states


class StateCache:
    """States by prompt in half precision, in one file that grows to a limit, so that a killed run loses nothing.

    States of unit size are rounded to float16; others can be too large for it and are rounded to bfloat16.

    Args:
        model: the language model.
        folder: where the states are kept.
        frame_rate: latent frames a second, for the times of phones.
        batch: prompts that go through the model at once.
        limit: bytes of the file beyond which states are computed whenever they are wanted; None for as many as come.
            A prompt of `nano` takes some 0.3 MB, one of a published model up to 18 MB.

    `folder / FINGERPRINT.f16` (or `.bf16`) holds the states one after another, `FINGERPRINT.jsonl` where those of each
    prompt lie.
    """

    def __init__(
        self, model: LanguageModel, folder: Path, frame_rate: float, batch: int = 32, limit: float | None = None
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._model, self._frame_rate, self._batch, self._limit = model, frame_rate, batch, limit
        self._dtype, ending = (torch.float16, "f16") if model.unit else (torch.bfloat16, "bf16")
        self._data = folder / f"{model.fingerprint}.{ending}"
        self._index_file = folder / f"{model.fingerprint}.jsonl"
        self._index: dict[str, tuple[int, int]] = {}
        self._data.touch()
        self._index_file.touch()
        # A run that was killed may have left half a line, which the next one would be appended to.
        whole = self._index_file.read_bytes().rpartition(b"\n")
        os.truncate(self._index_file, len(whole[0] + whole[1]))
        for line in whole[0].splitlines():
            prompt, offset, kept = json.loads(line)
            self._index[prompt] = (offset, kept)

    def __len__(self) -> int:
        return len(self._index)

    def batch(self, prompts: Sequence[str], lines: Sequence[Sequence[Line]], device: torch.device) -> TextBatch:
        """Padded text of prompts and of the lines spoken in each, computing states never seen before."""
        read = [self._model.tokenise.read(prompt) for prompt in prompts]
        unstored = self.fill(read)
        tokens = [self._model.tokenise(prompt) for prompt in read]
        silent = self._model.tokenise.silent
        spoken = [phones(said, self._frame_rate) if silent else NO_PHONES for said in lines]
        longest, most = max(one.kept for one in tokens), max(len(one.ids) for one in spoken)
        states = torch.zeros(len(self._model.layers), len(read), longest, self._model.width)
        numbers = torch.zeros(len(read), most, dtype=torch.long)
        mask, positions = torch.zeros(len(read), longest + most), torch.zeros(len(read), longest + most)
        for row, (prompt, one, said) in enumerate(zip(read, tokens, spoken, strict=True)):
            states[:, row, : one.kept] = unstored[prompt] if prompt in unstored else self._read(prompt)
            numbers[row, : len(said.ids)] = torch.from_numpy(said.ids)
            for first, found in ((0, one.positions), (longest, said.positions)):
                mask[row, first : first + len(found)] = 1
                positions[row, first : first + len(found)] = torch.from_numpy(found)
        return TextBatch(states.to(device), numbers.to(device), mask.to(device), positions.to(device))

    def fill(self, prompts: Sequence[str]) -> dict[str, Tensor]:
        """Compute the states of prompts, as the language model reads them, that are not stored yet, and store them.

        Returns those [depth, S, width] for which the file has no room.
        """
        unstored = {}
        missing = sorted({prompt for prompt in prompts if prompt not in self._index}, key=len)
        for start in range(0, len(missing), self._batch):
            part = missing[start : start + self._batch]
            found = self._model.states([self._model.tokenise(prompt) for prompt in part])
            with self._data.open("ab") as data, self._index_file.open("a") as index:
                for prompt, states in zip(part, found, strict=True):
                    offset, rounded = data.tell(), states.to(self._dtype)
                    if self._limit is not None and offset + rounded.nbytes > self._limit:
                        unstored[prompt] = rounded
                        continue
                    data.write(rounded.view(torch.int16).numpy().tobytes())
                    data.flush()
                    index.write(json.dumps([prompt, offset, states.shape[1]]) + "\n")
                    self._index[prompt] = (offset, states.shape[1])
        return unstored

    def _read(self, prompt: str) -> Tensor:
        offset, kept = self._index[prompt]
        shape = (len(self._model.layers), kept, self._model.width)
        stored = np.memmap(self._data, np.int16, "r", offset, shape)
        return torch.from_numpy(np.array(stored)).view(self._dtype)
