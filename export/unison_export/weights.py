"""Which stored tensor of a graph is which parameter of the network: so that a bundle can be trained further.

The exporter renames, transposes, reshapes and merges tensors as it optimises. Every graph therefore carries, among its
metadata under `weights`, a JSON object from the name of a parameter to that of the tensor with its values, followed by
".T" where they are transposed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import Tensor, nn

from unison_engine.bundle import Bundle
from unison_engine.errors import ModelMissing
from unison_engine.runtime.sampler import Sampling
from unison_engine.runtime.text import TextClock
from unison_train.autoencoder.model import Autoencoder, AutoencoderConfig
from unison_train.checkpoint import Checkpoint
from unison_train.model.config import DiTConfig

METADATA = "weights"
SAMPLING = "sampling"
TRANSPOSED = ".T"
HALVED = ".float16"


def sampling_of(record: Mapping[str, Any]) -> Sampling:
    """The sampler of the bundle that a checkpoint was read from, or that its run began with, however many runs ago.

    That of a network which began untrained is 24 steps of Euler with guidance 3.
    """
    before: Mapping[str, Any] | None = record
    while before:
        if SAMPLING in before:
            return Sampling.model_validate(before[SAMPLING])
        before = before.get("start")
    return Sampling(steps=24, guidance=3.0)


def record_weights(model: onnx.ModelProto, module: nn.Module) -> None:
    """Write into the metadata of `model` where the parameters and buffers of `module` are that it uses."""
    stored = {_content(numpy_helper.to_array(tensor)): tensor.name for tensor in model.graph.initializer}
    places: dict[str, str] = {}
    for name, value in module.state_dict().items():
        array = value.numpy()
        if (place := stored.get(_content(array))) is not None:
            places[name] = place
        elif (place := stored.get(_content(array.T))) is not None:
            places[name] = place + TRANSPOSED
    onnx.helper.set_model_props(model, {METADATA: json.dumps(places)})


def read_checkpoint(bundle: Bundle) -> Checkpoint:
    """The checkpoint that a bundle was made of, its matrices rounded to float16.

    Raises:
        ModelMissing: the bundle does not tell where its parameters are, or lacks some.
    """
    card = bundle.manifest.card
    if "audio" in card:
        raise ModelMissing(
            f"{bundle.folder} is made of a published model; train the checkpoint that `unison-train official` makes "
            "of the published files."
        )
    if not {"model", "autoencoder"} <= card.keys():
        raise ModelMissing(f"{bundle.folder} was written without what training needs; export its checkpoint again.")
    sizes = dict(card["model"])
    clock = sizes.pop("text_clock")
    config = DiTConfig(**sizes, text_clock=None if clock is None else TextClock(**clock))
    autoencoder = Autoencoder(AutoencoderConfig(**card["autoencoder"]))
    checkpoint = Checkpoint.new(config, bundle.layout, autoencoder, torch.Generator())
    checkpoint.record = {key: value for key, value in card.items() if key not in ("model", "autoencoder")}
    checkpoint.record[SAMPLING] = bundle.manifest.sampling.model_dump(mode="json")
    _fill(checkpoint.dit, bundle, "step", "modulation")
    _fill(checkpoint.fusion, bundle, "fusion")
    _fill(autoencoder, bundle, "vae_encoder", "vae_decoder")
    return checkpoint


def _fill(module: nn.Module, bundle: Bundle, *graphs: str) -> None:
    """Load the state of a module from the graphs that were exported from it."""
    state: dict[str, Tensor] = {}
    wanted = module.state_dict()
    for graph in graphs:
        model = onnx.load(bundle.graph(graph))
        properties = {item.key: item.value for item in model.metadata_props}
        tensors = {tensor.name.removesuffix(HALVED): tensor for tensor in model.graph.initializer}
        places: Mapping[str, str] = json.loads(properties.get(METADATA, "{}"))
        for name in places.keys() & wanted.keys():
            array = numpy_helper.to_array(tensors[places[name].removesuffix(TRANSPOSED)]).astype(np.float32)
            if places[name].endswith(TRANSPOSED):
                array = array.T
            state[name] = torch.from_numpy(array.copy()).reshape(wanted[name].shape)
    if missing := sorted(wanted.keys() - state.keys()):
        raise ModelMissing(f"{bundle.folder} does not tell where these parameters are: {', '.join(missing)}.")
    module.load_state_dict(state)


def _content(array: NDArray[Any]) -> tuple[str, bytes]:
    """The same for all tensors of the same values, whatever their shapes."""
    return array.dtype.str, np.ascontiguousarray(array).tobytes()
