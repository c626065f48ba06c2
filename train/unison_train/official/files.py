"""Reads the files that the published model comes in; nothing in them is ever run.

Tensors are mapped from the file, in the precision they were saved in, so that reading needs no second copy in memory.
"""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from unison_engine.errors import ModelMissing
from unison_train.model.config import DiTConfig
from unison_train.model.official import official_shapes

CHECKPOINT_FILES = ("ema_model.pt", "model.safetensors", "pytorch_model.bin")
"""Names under which a folder may hold the network, in the order in which they are tried."""
PUBLISHED_MD5 = {
    "v1-16.pth": "69f56803f59a549a1a507c93859fd4d7",
    "v1-44.pth": "fab020275fa44c6589820ce025191600",
    "best_netG.pt": "eeaf372a38a9c31c362120aba2dde292",
}
"""MD5 of files as their publishers state it."""


def read_network(path: Path, config: DiTConfig) -> dict[str, Tensor]:
    """Tensors of a network of the size of `config` under their official names.

    Args:
        path: a file, or a folder that holds one of `CHECKPOINT_FILES`.

    Raises:
        ModelMissing: there is no such file, it cannot be read, or it is an EMA list of another length.
    """
    path = find_network(path)
    content = _read(path)
    averages = content.get("shadow_params")
    if averages is None:
        return _tensors(content, path)
    # An average of weights (EMA) is a list without names, in the order of registration.
    names = list(official_shapes(config))
    if len(averages) != len(names):
        raise ModelMissing(
            f"{path} lists {len(averages)} averaged tensors, the network of this size has {len(names)}; "
            "choose the preset that it was trained as."
        )
    return dict(zip(names, averages, strict=True))


def find_network(path: Path) -> Path:
    """The file of a network: the path itself, or the first of `CHECKPOINT_FILES` in a folder.

    Raises:
        ModelMissing: the folder holds none.
    """
    if not path.is_dir():
        return path
    found = next((path / name for name in CHECKPOINT_FILES if (path / name).is_file()), None)
    if found is None:
        raise ModelMissing(f"{path} holds no checkpoint; it should have one of {', '.join(CHECKPOINT_FILES)}.")
    return found


def read_vae(path: Path) -> dict[str, Tensor]:
    """Tensors of an MMAudio VAE, such as `v1-44.pth`.

    Raises:
        ModelMissing: the file is absent, damaged, or no file of tensors.
    """
    return _tensors(_read(path), path)


def read_vocoder(path: Path) -> dict[str, Tensor]:
    """Tensors of a BigVGAN generator, alone or under the entry `generator`, such as `bigvgan_generator.pt`.

    Raises:
        ModelMissing: the file is absent, damaged, or no file of tensors.
    """
    content = _read(path)
    return _tensors(content.get("generator", content), path)


def _read(path: Path) -> dict[str, Any]:
    """What a safetensors file or a pickle of plain data holds."""
    if not path.is_file():
        raise ModelMissing(f"there is no file {path}; give the path of a published one.")
    _verify(path)
    try:
        if path.suffix == ".safetensors":
            return dict(load_file(path))
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except pickle.UnpicklingError as error:
        raise ModelMissing(
            f"{path} holds more than tensors and is not opened, since a pickle can run code; "
            f"save its tensors as safetensors first. ({str(error).splitlines()[0]})"
        ) from None
    except (SafetensorError, RuntimeError, EOFError, ValueError) as error:
        raise ModelMissing(f"{path} is damaged or no file of tensors; fetch it again. ({error})") from None
    if not isinstance(content, dict):
        raise ModelMissing(f"{path} holds a {type(content).__name__}, not named tensors; it is not a published file.")
    return content


def _verify(path: Path) -> None:
    expected = PUBLISHED_MD5.get(path.name)
    if expected is None:
        return
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "md5").hexdigest()
    if found != expected:
        raise ModelMissing(f"{path} is not the published file: its MD5 is {found}, not {expected}; fetch it again.")


def _tensors(content: Mapping[str, Any], path: Path) -> dict[str, Tensor]:
    """The content, if it is nothing but named tensors."""
    others = [name for name, value in content.items() if not isinstance(value, Tensor)]
    if others or not content:
        raise ModelMissing(
            f"{path} should hold named tensors and nothing else, but has {', '.join(others[:5]) or 'none'}; "
            "it may be a checkpoint of a trainer: extract the weights from it."
        )
    return dict(content)
