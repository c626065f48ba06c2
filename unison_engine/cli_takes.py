"""`unison takes`: list, search and show takes, make them again, vary and remove them."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from pathlib import Path

import click

from unison_engine.engine import Engine, Progress, default_library
from unison_engine.takes import Take, TakeLibrary

bundle_option = click.option("--bundle", default="nano", show_default=True, help="Bundle, by name or folder.")
backend_option = click.option(
    "--backend", help="What computes, by name; `unison doctor` lists them.  [default: the fastest here]"
)
library_option = click.option(
    "--library",
    type=click.Path(path_type=Path),
    help="Folder of takes.  [default: Unison in your music folder]",
)
_take = click.argument("take")


@click.group()
def takes() -> None:
    """Takes that were made: find them, make them again, vary them."""


@takes.command("list")
@library_option
def list_takes(library: Path | None) -> None:
    """List all takes, oldest first."""
    _rows(_open(library).list())


@takes.command()
@click.argument("words", nargs=-1)
@click.option("--task", help="Only takes of this task.")
@click.option("--tag", help="Only takes with this label, as it was given.")
@click.option("--since", type=click.DateTime(), help="Only takes made at this local time or later.")
@click.option("--until", type=click.DateTime(), help="Only takes made before this local time.")
@library_option
def search(
    words: tuple[str, ...],
    task: str | None,
    tag: str | None,
    since: datetime | None,
    until: datetime | None,
    library: Path | None,
) -> None:
    """List the takes whose name or request holds all the words."""
    _rows(_open(library).search(" ".join(words), task, since, until, tag))


@takes.command()
@_take
@library_option
def show(take: str, library: Path | None) -> None:
    """Show all that is known of a take, as JSON."""
    click.echo(_open(library).get(take).model_dump_json(indent=2))


@takes.command()
@click.argument("take", required=False)
@library_option
def tree(take: str | None, library: Path | None) -> None:
    """Show what was made from what: all of it, or the tree that a take stands in."""
    for depth, found in _open(library).tree(take):
        click.echo(f"{'  ' * depth}{found.id}  {found.recipe.prompt}")


@takes.command()
@_take
@bundle_option
@backend_option
@library_option
def again(take: str, bundle: str, backend: str | None, library: Path | None) -> None:
    """Make a take once more, sample for sample where the same backend computes."""
    engine = Engine.open(bundle, library, backend)
    with progress_bar(take) as advance:
        made = engine.again(take, progress=advance)
    click.echo(told(made, made.path))


@takes.command()
@_take
@click.option("-n", "--count", default=1, show_default=True, type=click.IntRange(1, 100), help="How many to make.")
@bundle_option
@backend_option
@library_option
def vary(take: str, count: int, bundle: str, backend: str | None, library: Path | None) -> None:
    """Make variations: the same request with other seeds."""
    engine = Engine.open(bundle, library, backend)
    for number in range(1, count + 1):
        with progress_bar(f"{take} {number}/{count}") as advance:
            (made,) = engine.vary(take, progress=advance)
        click.echo(told(made, made.path))


@takes.command()
@click.argument("take", nargs=-1, required=True)
@click.confirmation_option(prompt="Delete these files for good?")
@library_option
def remove(take: tuple[str, ...], library: Path | None) -> None:
    """Delete takes. What was made from them stays."""
    kept = _open(library)
    for name in take:
        kept.remove(name)


@contextlib.contextmanager
def progress_bar(label: str) -> Iterator[Callable[[Progress], None]]:
    """A bar on stderr, and what moves it."""
    with click.progressbar(length=1000, label=label, file=sys.stderr) as bar:

        def advance(progress: Progress) -> None:
            bar.update(max(0, 1000 * progress.step // progress.steps - bar.pos))

        yield advance


def told(take: Take, path: Path) -> str:
    """A take that was just made, in a line."""
    return f"{path}  {take.seconds:.2f} s  {take.lufs:.1f} LUFS  seed {take.recipe.seed}"


def _open(library: Path | None) -> TakeLibrary:
    return TakeLibrary(library or default_library())


def _rows(found: Iterable[Take]) -> None:
    for take in found:
        made = take.recipe.created.astimezone()
        click.echo(
            f"{made:%Y-%m-%d %H:%M:%S}  {take.seconds:6.2f} s  {take.lufs:6.1f} LUFS  {take.id}  {take.recipe.prompt}"
        )
