"""`unison-export`: checkpoints to bundles, and back."""

from __future__ import annotations

import enum
import sys
from pathlib import Path
from typing import Annotated

import typer

from unison_engine.bundle import Bundle, Manifest, Sampling
from unison_engine.errors import UnisonError
from unison_export.bundle import write_bundle
from unison_export.published import Published, write_published
from unison_export.weights import read_checkpoint
from unison_train.checkpoint import Checkpoint

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__)


class Side(enum.StrEnum):
    """See `unison_engine.runtime.text.Template`."""

    left = "left"
    right = "right"


@app.command()
def bundle(
    checkpoint: Annotated[Path, typer.Argument(help="Folder written by `unison-train run`.")],
    out: Annotated[Path, typer.Argument(help="Folder of the bundle.")],
    name: Annotated[str, typer.Option(help="Name of the bundle.")] = "nano",
    steps: Annotated[int, typer.Option(help="Default number of sampler steps.")] = 24,
    guidance: Annotated[float, typer.Option(help="Default guidance scale.")] = 3.0,
) -> None:
    """Write a bundle that the engine runs without torch."""
    manifest = write_bundle(Checkpoint.load(checkpoint), out, name, Sampling(steps=steps, guidance=guidance))
    _list(manifest, out)


@app.command()
def official(
    network: Annotated[Path, typer.Argument(help="Folder of the published network, or its model.safetensors.")],
    out: Annotated[Path, typer.Argument(help="Folder of the bundle.")],
    vae: Annotated[Path, typer.Option(help="VAE of the same variant: v1-44.pth or v1-16.pth.")],
    vocoder: Annotated[Path, typer.Option(help="bigvgan_generator.pt (44k) or best_netG.pt (16k).")],
    encoder: Annotated[str, typer.Option(help="Qwen2.5-Omni-7B: its folder or hub id.")],
    preset: Annotated[str, typer.Option(help="d20s0-44k or d24s0-16k.")],
    system: Annotated[Path | None, typer.Option(help="File with the published system prompt and nothing else.")] = None,
    padding: Annotated[Side, typer.Option(help="Side on which prompts were padded in training.")] = Side.left,
) -> None:
    """Write the bundle of a published UNISON model; its weights are for non-commercial use only."""
    published = Published(network, vae, vocoder, encoder, system, padding.value)
    _list(write_published(published, preset, out), out)


@app.command()
def checkpoint(
    bundle: Annotated[str, typer.Argument(help="Name of an installed bundle, or its folder.")],
    out: Annotated[Path, typer.Argument(help="Folder of the checkpoint.")],
) -> None:
    """Write the checkpoint of a bundle, for `unison-train run --start`."""
    read_checkpoint(Bundle.open(bundle)).save(out)


def _list(manifest: Manifest, out: Path) -> None:
    for file in manifest.files:
        print(f"{(out / file).stat().st_size / 1e6:8.1f} MB  {file}")


def main() -> None:
    """Entry point; an error a user can mend is one line, not a traceback."""
    try:
        app()
    except UnisonError as error:
        sys.exit(f"unison-export: {error}")
