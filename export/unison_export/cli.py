"""`unison-export`: checkpoints to bundles, and back."""

from __future__ import annotations

import math
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, cast

import torch
import typer

from unison_engine.bundle import Bundle, shipped_bundles
from unison_engine.errors import BadArguments, UnisonError
from unison_engine.runtime.engines import Precision, Target, Weights
from unison_engine.runtime.text import Padding
from unison_engine.tasks import Request
from unison_export.bundle import write_bundle
from unison_export.int8 import TOLERANCE, Quantized
from unison_export.published import PAPER, write_published
from unison_export.tensorrt.engines import build_engines
from unison_export.variants import WORTHWHILE, add_bf16, add_int8
from unison_export.weight_only import Bits
from unison_export.weights import read_checkpoint, sampling_of
from unison_train.checkpoint import Checkpoint
from unison_train.finetune import finetune as tune
from unison_train.official.audio import PublishedAudio
from unison_train.official.checkpoint import Published, read_published

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__)


def _free(out: Path) -> Path:
    """A folder for a bundle that opens under what was given.

    Raises:
        BadArguments: a shipped bundle would be opened in its place.
    """
    if str(out) in shipped_bundles():
        raise BadArguments(
            f"{str(out)!r} is the name of a shipped bundle, which would be opened instead; give another."
        )
    return out


@app.command()
def bundle(
    source: Annotated[
        Path, typer.Argument(help="Folder written by `unison-train run`; with --official, the published network.")
    ],
    out: Annotated[Path, typer.Argument(help="Folder of the bundle.", callback=_free)],
    name: Annotated[str | None, typer.Option(help="Name of the bundle; that of its preset if left out.")] = None,
    steps: Annotated[
        int | None, typer.Option(help="Sampler steps of all tasks.  [default: as its start, 24, published 100]")
    ] = None,
    guidance: Annotated[
        float | None, typer.Option(help="Guidance of all tasks.  [default: as its start, 3, published 4.5]")
    ] = None,
    official: Annotated[
        bool, typer.Option("--official", help="SOURCE is a published UNISON network, for non-commercial use only.")
    ] = False,
    vae: Annotated[Path | None, typer.Option(help="Published VAE of the variant: v1-44.pth or v1-16.pth.")] = None,
    vocoder: Annotated[Path | None, typer.Option(help="bigvgan_generator.pt (44k) or best_netG.pt (16k).")] = None,
    encoder: Annotated[str | None, typer.Option(help="Qwen2.5-Omni-7B: its folder or hub id.")] = None,
    system: Annotated[Path | None, typer.Option(help="File with the published system prompt and nothing else.")] = None,
    padding: Annotated[
        Padding | None, typer.Option(help="Side on which prompts were padded in training.  [default: left]")
    ] = None,
    preset: Annotated[
        str | None, typer.Option(help="Published variant: d20s0-44k or d24s0-16k.  [default: d20s0-44k]")
    ] = None,
    text_bits: Annotated[
        int | None, typer.Option(help="Bits of the language model's weights, of a published model: 4 or 8.")
    ] = None,
) -> None:
    """Write a bundle that the engine runs without torch, of a checkpoint or of the files of a published model."""
    asked = {key: value for key, value in (("steps", steps), ("guidance", guidance)) if value is not None}
    Request.read("bundle", asked)  # Every request takes these values unless it brings its own.
    if text_bits not in (None, 4, 8):
        raise BadArguments(f"--text-bits {text_bits} is not a choice; take 4 or 8, or leave it out to keep all bits.")
    parts = {"vae": vae, "vocoder": vocoder, "encoder": encoder, "system": system, "padding": padding, "preset": preset}
    if not official:
        if unused := [option for option, value in parts.items() if value is not None]:
            raise BadArguments(f"--{unused[0]} is for published models; leave it out, or give --official as well.")
        checkpoint = Checkpoint.load(source)
    elif vae is None or vocoder is None or encoder is None:
        raise BadArguments(
            "--official needs --vae, --vocoder and --encoder; docs/published-model.md tells which files."
        )
    else:
        files = Published(source, vae, vocoder, encoder, system, padding or "left")
        checkpoint = read_published(files, preset or "d20s0-44k")
    published = isinstance(checkpoint.autoencoder, PublishedAudio)
    if text_bits is not None and not published:
        raise BadArguments(
            "--text-bits is for published models; the language model of this one keeps its file's 4 bits."
        )
    default = PAPER if published else sampling_of(checkpoint.record)
    # What is asked for is meant for every task.
    sampling = default.model_copy(update={**asked, "tasks": {}}) if asked else default
    name = name or checkpoint.record["preset"]
    if published:
        manifest = write_published(checkpoint, out, name, sampling, cast(Bits | None, text_bits))
    else:
        manifest = write_bundle(checkpoint, out, name, sampling)
    for file in manifest.files:
        print(f"{(out / file).stat().st_size / 1e6:8.1f} MB  {file}")


@app.command("checkpoint")
def write_checkpoint(
    bundle: Annotated[str, typer.Argument(help="Name of an installed bundle, or its folder.")],
    out: Annotated[Path, typer.Argument(help="Folder of the checkpoint.")],
) -> None:
    """Write the checkpoint of a bundle, for `unison-train run --start`."""
    read_checkpoint(Bundle.open(bundle)).save(out)


@app.command()
def int8(
    bundle: Annotated[str, typer.Argument(help="Name of an installed bundle, or its folder.")],
    out: Annotated[
        Path, typer.Argument(help="Folder of the new bundle; that of the bundle to change it in place.", callback=_free)
    ],
    graph: Annotated[list[str] | None, typer.Option(help="Which; may be repeated.")] = None,
    tolerance: Annotated[float, typer.Option(help="Largest relative error of a graph's output.")] = TOLERANCE,
) -> None:
    """Add graphs that compute in 8 bits to a bundle; layers that would harm the output stay in float32."""

    def told(name: str, found: Quantized) -> None:
        if not found.layers:
            print(f"{name}: has no product that can be rounded, and stays as it is", flush=True)
            return
        print(f"{name}: error {found.error:.4f} at most, {found.typical:.4f} in the median")
        print(f"  {len(found.layers)} products, float32: {', '.join(found.kept) or 'none'}")
        for layer in sorted(found.layers, key=lambda layer: -layer.error)[:5]:
            print(f"  {layer.name} alone: {layer.error:.4f}", flush=True)

    add_int8(Bundle.open(bundle), out, graph or WORTHWHILE, tolerance, told)


@app.command()
def bf16(
    bundle: Annotated[str, typer.Argument(help="Name of an installed bundle, or its folder.")],
    out: Annotated[
        Path, typer.Argument(help="Folder of the new bundle; that of the bundle to change it in place.", callback=_free)
    ],
    graph: Annotated[list[str] | None, typer.Option(help="Which; may be repeated.  [default: all]")] = None,
    tolerance: Annotated[float, typer.Option(help="Largest relative error of a graph's output.")] = TOLERANCE,
) -> None:
    """Measure what bf16 costs each graph, and allow it where that is little; wants OpenVINO and a bf16 processor."""

    def told(name: str, errors: Sequence[float]) -> None:
        verdict = "allowed" if max(errors) <= tolerance else "left in float32"
        print(f"{name}: error {max(errors):.4f} at most, {statistics.median(errors):.4f} in the median; {verdict}")

    add_bf16(Bundle.open(bundle), out, graph or (), tolerance, told)


@app.command()
def quality(
    bundle: Annotated[Path, typer.Argument(help="Folder of the bundle; its manifest is changed.")],
    corpus: Annotated[Path, typer.Option(help="Corpus with the held-out readings of `unison-train corpus build`.")],
    tasks: Annotated[str, typer.Option(help="Names, with commas between.  [default: all]")] = "",
    items: Annotated[int, typer.Option(help="Requests of each task; 0 for all. Under 20, nothing is chosen.")] = 0,
    cache: Annotated[Path | None, typer.Option(help="Folder of fetched judges.")] = None,
) -> None:
    """Judge samplers by what they lose against 100 guided steps; the bundle gets the best by task, and the curves."""
    # Imported here, as the judges belong to unison-train[eval], which nothing else needs.
    from unison_export.quality import ENOUGH, run_quality
    from unison_train.evaluation.items import TASKS

    chosen = [task for task in TASKS if not tasks or task in tasks.split(",")]
    if unknown := set(filter(None, tasks.split(","))) - set(TASKS):
        raise BadArguments(f"there is no task {sorted(unknown)[0]!r}; choose from {', '.join(TASKS)}.")
    if not run_quality(Bundle.open(bundle), corpus, chosen, items, cache):
        print(f"{items} requests are too few to choose by, so the bundle is as it was; ask for {ENOUGH} or more.")


@app.command()
def tensorrt(
    bundle: Annotated[str, typer.Argument(help="Name of an installed bundle, or its folder.")],
    target: Annotated[Target, typer.Option(help="rtx: graphics cards of workstations; enterprise: data centres.")],
    precision: Annotated[Precision, typer.Option(help="Of the large matrix products.")] = "bfloat16",
    bucket: Annotated[
        list[float] | None, typer.Option(help="Longest sound of a shape profile in seconds; may be repeated.")
    ] = None,
    weights: Annotated[Weights, typer.Option(help="Exchangeable ones need the CUDA driver.")] = "baked",
    capability: Annotated[
        list[str] | None, typer.Option(help="Build for this GPU alone, such as SM89; may be repeated.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the engines; in the bundle by default.")] = None,
) -> None:
    """Build the TensorRT engines of a bundle."""
    opened = Bundle.open(bundle)
    buckets = bucket or [opened.layout.max_seconds]
    started = time.perf_counter()
    for record in build_engines(opened, target, precision, buckets, weights, capability or (), out):
        print(f"{record.size / 1e6:8.1f} MB  {record.graph}  after {time.perf_counter() - started:.0f} s")


@app.command()
def finetune(
    bundle: Annotated[str, typer.Argument(help="Name of an installed bundle, or its folder.")],
    clips: Annotated[Path, typer.Argument(help="JSONL manifest, beside the clips that it names.")],
    out: Annotated[
        Path, typer.Argument(help="Folder of the new bundle; its name is that of the bundle.", callback=_free)
    ],
    lora: Annotated[int, typer.Option(help="Train low-rank adapters of this rank in place of the weights.")] = 0,
    steps: Annotated[int, typer.Option(help="Overrides the recipe's number of steps.")] = 0,
    minutes: Annotated[float, typer.Option(help="Stop after so long, to go on another time.")] = math.inf,
) -> None:
    """Train a bundle further on your clips and write what comes of it as a bundle.

    The run is kept in OUT.run; started again, it goes on where it was.
    """
    out = out.resolve()  # Of "." and the like the name is known only then.
    opened, run = Bundle.open(bundle), out.with_name(f"{out.name}.run")
    read_checkpoint(opened).save(run / "start")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    tune(clips, run / "start", run, device, steps=steps, lora_rank=lora, minutes=minutes)
    write_bundle(Checkpoint.load(run), out, out.name, opened.manifest.sampling)


def main() -> None:
    """Entry point; an error a user can mend is one line, not a traceback."""
    try:
        app()
    except (UnisonError, OSError) as error:
        sys.exit(f"unison-export: {error}")
