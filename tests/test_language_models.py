"""The published models' text encoders, held to the plain padded computation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from tests.language_models import SYSTEM, byte_tokenizer, save_omni, save_qwen3
from tests.vectors_io import FOLDER
from unison_engine.errors import ModelMissing, TooLarge
from unison_engine.runtime.text import Padding, PromptTokenizer, Template
from unison_train.language_models import TOTAL_TOKENS
from unison_train.text import LanguageModel, StateCache

WINDOW: dict[str, Any] = json.loads((FOLDER / "tables" / "text_window.json").read_text())
CPU = torch.device("cpu")


@pytest.mark.parametrize("case", WINDOW["cases"], ids=lambda case: str(case["user_turn_tokens"]))
@pytest.mark.parametrize("padding", ["left", "right"])
def test_the_window_is_that_of_the_table(case: dict[str, Any], padding: Padding) -> None:
    template = Template(SYSTEM, window=WINDOW["window"], padding=padding)
    tokenise = PromptTokenizer(byte_tokenizer(), None, template=template)
    assert len(tokenise.prefix) == WINDOW["system_tokens"]
    prompt = "a" * (case["user_turn_tokens"] - 8)
    if case["truncated"]:
        with pytest.raises(TooLarge, match="at most 126; shorten it"):
            tokenise(prompt)
        return
    found, expected = tokenise(prompt), case[f"{padding}_padded"]
    assert len(found.ids) == case["total_tokens"] and found.kept == expected["valid"] == len(found.positions)
    assert [len(found.ids) - found.kept, len(found.ids)] == expected["kept_token_range"]


@torch.no_grad()
def padded(decoder: Any, ids: list[int], cut: int, padding: Padding, layers: list[int]) -> Tensor:
    """What the published code does: pad to 256, run, cut the system turn's length off, drop what is masked."""
    pads = TOTAL_TOKENS - len(ids)
    before, behind = (pads, 0) if padding == "left" else (0, pads)
    row = torch.tensor([[0] * before + ids + [0] * behind])
    mask = torch.tensor([[0] * before + [1] * len(ids) + [0] * behind])
    places = torch.arange(TOTAL_TOKENS)[None]
    hidden = decoder(row, attention_mask=mask, position_ids=places, output_hidden_states=True).hidden_states
    return torch.stack([hidden[layer][0, cut:][mask[0, cut:] > 0] for layer in layers])


@pytest.mark.parametrize("padding", ["left", "right"])
@pytest.mark.parametrize("system", [SYSTEM, SYSTEM[:40]], ids=["published length", "short"])
def test_states_of_an_omni_are_those_of_the_padded_batch(tmp_path: Path, padding: Padding, system: str) -> None:
    saved: Any = save_omni(tmp_path)
    decoder = saved.to(torch.float32)
    model = LanguageModel(str(tmp_path), 3, None, False, CPU, torch.float32, system, padding)
    assert model.layers == [1, 3, 5] and not model.unit
    tokens = [model.tokenise(prompt) for prompt in ("[Audio] rain", "[Audio] a long storm over the sea")]
    for one, found in zip(tokens, model.states(tokens), strict=True):
        whole = padded(decoder, one.ids, len(model.tokenise.prefix), padding, model.layers)
        assert found.shape == whole.shape and whole.std() > 0.01
        torch.testing.assert_close(found, whole, atol=2e-5, rtol=1e-4)


def test_states_of_a_qwen3_have_no_system_turn_and_no_thoughts(tmp_path: Path) -> None:
    saved: Any = save_qwen3(tmp_path)
    plain = saved.to(torch.float32)
    model = LanguageModel(str(tmp_path), 3, None, False, CPU, torch.float32)
    tokens = model.tokenise("rain")
    told = "<|im_start|>user\nrain<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"
    assert model.tokenizer.decode(tokens.ids, skip_special_tokens=False) == told
    assert tokens.kept == len(tokens.ids) and model.tokenise.template.window == 256 and not model.unit
    whole = padded(plain.model, tokens.ids, 0, "right", model.layers)
    torch.testing.assert_close(model.states([tokens])[0], whole, atol=2e-5, rtol=1e-4)


def test_raw_states_are_kept_on_disk_in_their_own_precision(tmp_path: Path) -> None:
    save_qwen3(tmp_path)
    model = LanguageModel(str(tmp_path), 3, None, False, CPU)
    model.decoder.layers[0].mlp.down_proj.weight.mul_(1e9)  # Past the largest float16.
    batch = StateCache(model, tmp_path / "states", 25.0).batch(["rain"], [()], CPU)
    assert batch.states.isfinite().all() and batch.states.abs().max() > 1e5
    torch.testing.assert_close(batch.states[:, 0], model.states([model.tokenise("rain")])[0])


@pytest.mark.parametrize("prefix", ["thinker.model.", "model.", "thinker.model.language_model."])
def test_the_decoder_is_found_under_every_name_it_has_had(tmp_path: Path, prefix: str) -> None:
    decoder = save_omni(tmp_path, prefix)
    model = LanguageModel(str(tmp_path), 2, None, False, CPU, system=SYSTEM)
    for name, tensor in model.decoder.state_dict().items():
        assert torch.equal(tensor, decoder.state_dict()[name])


def test_what_is_wrong_with_a_language_model_is_told(tmp_path: Path) -> None:
    save_omni(tmp_path)
    with pytest.raises(ModelMissing, match=r"copy its text from unison/models/text_encoders/omni_encoder\.py"):
        LanguageModel(str(tmp_path), 2, None, False, CPU)
    with pytest.raises(ModelMissing, match=r"the system turn has 305 tokens of 256"):
        LanguageModel(str(tmp_path), 2, None, False, CPU, system="y" * 300)
    tensors = load_file(tmp_path / "model.safetensors")
    tensors.pop("thinker.model.norm.weight")
    save_file(tensors, tmp_path / "model.safetensors")
    with pytest.raises(ModelMissing, match=r"does not hold the text decoder .* missing norm\.weight"):
        LanguageModel(str(tmp_path), 2, None, False, CPU, system=SYSTEM)
    (tmp_path / "config.json").unlink()
    with pytest.raises(ModelMissing, match="no folder of a language model"):
        LanguageModel(str(tmp_path), 2, None, False, CPU)
