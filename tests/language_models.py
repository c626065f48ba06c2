"""Tiny random language models of the published families, in folders as a hub gives them out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM
from transformers.models.qwen2_5_omni import Qwen2_5OmniConfig
from transformers.models.qwen2_5_omni.modeling_qwen2_5_omni import Qwen2_5OmniThinkerTextModel

SYSTEM = "x" * (130 - 5)
"""A system turn of 130 tokens, as many as the published one has."""
CHAT = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "<|im_start|>assistant\n{% if enable_thinking is false %}<think>\n\n</think>\n\n{% endif %}"
)
SIZES = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 5,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 300,
}


def byte_tokenizer() -> Tokenizer:
    """A token for every byte, and one for each mark and role of ChatML, so that a user's turn has 8 around it."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    made: Any = Tokenizer(models.BPE({letter: number for number, letter in enumerate(alphabet)}, []))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens(["<|endoftext|>", "<|im_start|>", "<|im_end|>"])
    made.add_tokens(["system", "user", "assistant"])
    return made  # type: ignore[no-any-return]


def save_tokenizer(folder: Path, **options: Any) -> None:
    build: Any = PreTrainedTokenizerFast
    build(tokenizer_object=byte_tokenizer(), pad_token="<|endoftext|>", **options).save_pretrained(folder)


def save_omni(folder: Path, prefix: str = "thinker.model.", **sizes: int) -> Qwen2_5OmniThinkerTextModel:
    """A whole Qwen2.5-Omni's configuration with the tensors of its text decoder, and one of its ears."""
    from safetensors.torch import save_file

    torch.manual_seed(1)
    sizes = SIZES | sizes
    width = sizes["hidden_size"] // sizes["num_attention_heads"]
    rope = {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [width // 2 - 2, 1, 1]}
    config: Any = Qwen2_5OmniConfig(
        thinker_config={"text_config": sizes | {"rope_scaling": rope, "rope_parameters": rope}}
    )
    build: Any = Qwen2_5OmniThinkerTextModel._from_config
    decoder = build(config.thinker_config.text_config, dtype=torch.bfloat16)
    tensors = {f"{prefix}{name}": tensor.contiguous() for name, tensor in decoder.state_dict().items()}
    config.save_pretrained(folder)
    save_file(tensors | {"thinker.audio_tower.layers.0.fc1.weight": torch.zeros(2)}, folder / "model.safetensors")
    save_tokenizer(folder)
    return decoder.eval()  # type: ignore[no-any-return]


def save_qwen3(folder: Path) -> Qwen3ForCausalLM:
    torch.manual_seed(2)
    build: Any = Qwen3ForCausalLM._from_config
    model = build(Qwen3Config.from_dict(SIZES | {"head_dim": 8}), dtype=torch.bfloat16)
    model.save_pretrained(folder)
    save_tokenizer(folder, chat_template=CHAT)
    return model.eval()  # type: ignore[no-any-return]
