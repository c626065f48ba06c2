"""The published text decoder with its weights in 8 or 4 bits: size, time and memory.

A decoder of the width of Qwen2.5-Omni-7B with random weights, so that the errors are those of random weights too. Every
row is made and read in processes of its own.

python -m benchmarks.bench_text_bits FOLDER [--layers 28] [--bits 8 4]; bits of 16 are the weights as they are in the
files, which ONNX Runtime widens to 1 GB a layer.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch

from benchmarks.official_step import CONFIG, peak
from tests.language_models import SYSTEM, save_omni
from unison_engine.machine import physical_cores, processor
from unison_engine.runtime.session import Session
from unison_engine.runtime.text import PromptTokenizer
from unison_export.mapped import write_mapped
from unison_export.published import JUDGED, StateReader, text_export
from unison_export.weight_only import Bits, states_error, with_few_bits
from unison_train.language_models import load_language_model

FULL = 16
"""Bits of the files."""
SIZES: dict[str, Any] = {
    "hidden_size": CONFIG.text_width,
    "intermediate_size": 18944,
    "num_attention_heads": 28,
    "num_key_value_heads": 4,
    "vocab_size": 152064,
}
PROMPT = list(range(1, 176))
"""As many tokens as a system turn of 130 and a request of 45."""


def make(folder: Path, bits: int) -> dict[str, float]:
    """Write the graph; seconds, peak gigabytes, gigabytes of weights, and error of the states."""
    started = time.perf_counter()
    model = load_language_model(str(folder / "encoder"), torch.bfloat16, SYSTEM)
    found = model
    if bits != FULL:
        found = dataclasses.replace(model, decoder=with_few_bits(model.decoder, cast(Bits, bits)))
    graph = write_mapped(f"text{bits}", text_export(found, CONFIG), folder)
    seconds, memory = time.perf_counter() - started, peak() / 1e9
    size = (folder / f"text{bits}.data").stat().st_size / 1e9
    tokens = [PromptTokenizer(model.tokenizer, None, template=model.template)(prompt) for prompt in JUDGED[:1]]
    error = 0.0 if bits == FULL else states_error(folder / graph.file, StateReader(model, CONFIG.depth), tokens)
    return {"seconds": seconds, "peak": memory, "size": size, "error": error}


def read(folder: Path, bits: int) -> dict[str, float]:
    """Read a prompt; seconds to load, seconds a prompt (least of five) and peak gigabytes."""
    started = time.perf_counter()
    session = Session(folder / f"text{bits}.onnx", physical_cores())
    loaded = time.perf_counter() - started
    times = []
    for _ in range(5):
        started = time.perf_counter()
        session(input_ids=np.array([PROMPT]))
        times.append(time.perf_counter() - started)
    return {"loaded": loaded, "prompt": min(times), "memory": peak() / 1e9}


def main() -> None:
    """A Markdown row for each number of bits."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("folder", type=Path)
    options.add_argument("--layers", type=int, default=28)
    options.add_argument("--bits", type=int, nargs="+", default=[8, 4], choices=(FULL, 8, 4))
    options.add_argument("--part", choices=("write", "make", "read"), help="one part, in this process")
    chosen = options.parse_args()
    if chosen.part == "write":
        save_omni(chosen.folder / "encoder", num_hidden_layers=chosen.layers, **SIZES)
        return
    if chosen.part is not None:
        print(json.dumps((make if chosen.part == "make" else read)(chosen.folder, chosen.bits[0])))
        return

    def apart(part: str, bits: int) -> dict[str, float]:
        command = [sys.executable, "-m", "benchmarks.bench_text_bits", str(chosen.folder), "--part", part]
        command += ["--bits", str(bits), "--layers", str(chosen.layers)]
        printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        return json.loads(printed.splitlines()[-1]) if printed else {}

    if not (chosen.folder / "encoder" / "model.safetensors").is_file():
        apart("write", FULL)
    print(f"{datetime.now(UTC):%Y-%m-%d}, {processor()}; {chosen.layers} layers, {len(PROMPT)} tokens\n")
    print("| bits | written, s (GB at most) | weights, GB | error | loaded, s | prompt, s | GB at most |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for bits in chosen.bits:
        row = apart("make", bits) | apart("read", bits)
        print(
            f"| {bits} | {row['seconds']:.0f} ({row['peak']:.1f}) | {row['size']:.2f} | {row['error']:.3f} "
            f"| {row['loaded']:.1f} | {row['prompt']:.2f} | {row['memory']:.1f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
