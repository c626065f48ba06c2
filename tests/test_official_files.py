"""Published files are read as they are, and wrong ones are refused in one clear line each."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from tests.backbone_checks import backbone
from tests.vectors_io import FOLDER, tensors
from unison_engine.errors import ModelMissing
from unison_train.model.official import from_official, official_shapes
from unison_train.official.files import CHECKPOINT_FILES, read_network, read_vae, read_vocoder

CONFIG, OTHER = (backbone(FOLDER / "backbone" / f"{name}_weights.safetensors")[0].config for name in "ab")


@pytest.fixture
def state() -> dict[str, Tensor]:
    """Official tensors in the order of registration, in the precision of the published file."""
    stored = tensors("backbone/a_weights")
    return {name: stored[name].bfloat16() for name in official_shapes(CONFIG)}


def write(state: dict[str, Tensor], path: Path) -> None:
    if path.name == "ema_model.pt":
        torch.save({"shadow_params": list(state.values()), "decay": 0.9999, "optimization_step": 7}, path)
    elif path.suffix == ".safetensors":
        save_file(state, path)
    else:
        torch.save(state, path)


@pytest.mark.parametrize("name", CHECKPOINT_FILES)
def test_every_kind_of_checkpoint_is_the_same_network(name: str, state: dict[str, Tensor], tmp_path: Path) -> None:
    write(state, tmp_path / name)
    for path in (tmp_path, tmp_path / name):
        found = read_network(path, CONFIG)
        assert all(found[key].dtype == torch.bfloat16 and torch.equal(found[key], state[key]) for key in state)
        from_official(found, CONFIG)


def test_averaged_weights_come_first(state: dict[str, Tensor], tmp_path: Path) -> None:
    write(state, tmp_path / "model.safetensors")
    write({name: tensor + 1 for name, tensor in state.items()}, tmp_path / "ema_model.pt")
    name = "time_in.mlp.0.weight"
    assert torch.equal(read_network(tmp_path, CONFIG)[name], state[name] + 1)


def test_a_vocoder_may_lie_under_its_entry(tmp_path: Path) -> None:
    generator = {"conv_pre.bias": torch.ones(3)}
    torch.save(generator, tmp_path / "plain.pt")
    torch.save({"generator": generator}, tmp_path / "entry.pt")
    assert read_vocoder(tmp_path / "plain.pt").keys() == read_vocoder(tmp_path / "entry.pt").keys() == generator.keys()


def test_the_other_variant_is_told_by_its_length(state: dict[str, Tensor], tmp_path: Path) -> None:
    write(state, tmp_path / "ema_model.pt")
    with pytest.raises(ModelMissing, match=r"lists 97 averaged tensors, the network of this size has 69; choose"):
        read_network(tmp_path, OTHER)


class Intruder:
    """Runs code when it is unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch intruded",)


def test_a_pickle_with_code_is_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"weight": Intruder()}, tmp_path / "bad.pth")
    with pytest.raises(ModelMissing, match="a pickle can run code"):
        read_vae(tmp_path / "bad.pth")
    assert not (tmp_path / "intruded").exists()


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin", "ema_model.pt"])
def test_a_truncated_file_is_damaged(name: str, state: dict[str, Tensor], tmp_path: Path) -> None:
    write(state, tmp_path / name)
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelMissing, match=rf"{name} is damaged"):
        read_network(tmp_path, CONFIG)


def test_wrong_places_and_contents(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match="there is no file"):
        read_vae(tmp_path / "v1-44.pth")
    with pytest.raises(ModelMissing, match=r"should have one of ema_model\.pt, model\.safetensors"):
        read_network(tmp_path, CONFIG)
    torch.save({"data_mean": torch.ones(1)}, tmp_path / "v1-44.pth")
    with pytest.raises(ModelMissing, match="not the published file: its MD5 is"):
        read_vae(tmp_path / "v1-44.pth")
    torch.save({"step": 3, "weight": torch.ones(1)}, tmp_path / "run.pt")
    with pytest.raises(ModelMissing, match="nothing else, but has step"):
        read_vae(tmp_path / "run.pt")
    torch.save([torch.ones(1)], tmp_path / "list.pt")
    with pytest.raises(ModelMissing, match="holds a list"):
        read_vae(tmp_path / "list.pt")
