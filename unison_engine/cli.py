"""`unison`: run tasks, serve OSC, list what there is."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from unison_engine.audio.deck import Deck
from unison_engine.audio.device import Device
from unison_engine.audio.devices import list_devices, open_device
from unison_engine.audio.sound import read_sound
from unison_engine.cli_plugins import plugins, token_option, url_option
from unison_engine.cli_takes import backend_option, bundle_option, library_option, progress_bar, takes, told
from unison_engine.doctor import examine
from unison_engine.engine import Engine, StreamingSynthesizer, default_library, engine_version
from unison_engine.errors import BadArguments, LibraryFailed, UnisonError
from unison_engine.host.priority import answer_first
from unison_engine.logs import configure as configure_log
from unison_engine.registry import PluginSource, load_registry
from unison_engine.schema import Parameter, parameters
from unison_engine.takes import TakeLibrary
from unison_engine.tasks import Task
from unison_engine.trial import tried

# What the command line does in its own way: -o, --play, and no queue to have a priority in.
_HOST_FIELDS = {"out", "play", "priority"}

_device = click.option("--device", help="Sound device, by (part of) its name; null is none.  [default: the system's]")


class _Tasks(click.Group):
    """One subcommand for every task of every plugin; they are looked up when asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of all tasks."""
        return sorted(load_registry().tasks)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
        """The command of a task."""
        return _task_command(load_registry().task(cmd_name))


@click.group()
@click.version_option(engine_version(), prog_name="unison")
def cli() -> None:
    """Make sounds from words, and serve them to audio programs over OSC."""


@cli.group("run", cls=_Tasks)
def run_group() -> None:
    """Make one sound: `unison run TASK --help` lists what a task takes."""


@cli.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=7770,
    show_default=True,
    help="Port of UDP and TCP; 0 takes any free one.",
)
@click.option("--token", envvar="UNISON_TOKEN", help="Secret for lines from other machines.  [env: UNISON_TOKEN]")
@click.option("--verbose", is_flag=True, help="Log what goes on.")
@click.option("--log", "log_format", type=click.Choice(["text", "json"]), default="text", help="Form of the log.")
@bundle_option
@backend_option
@library_option
@_device
def serve(
    host: str,
    port: int,
    token: str | None,
    verbose: bool,
    log_format: str,
    bundle: str,
    backend: str | None,
    library: Path | None,
    device: str | None,
) -> None:
    """Answer OSC until interrupted; prints one line when ready."""
    configure_log(logging.DEBUG if verbose else logging.WARNING, log_format == "json")
    # Before the device is opened: what threads it starts inherit it.
    answer_first()
    open_synthesizer = functools.partial(_open_bundle, bundle, backend)
    kept = TakeLibrary(library or default_library())
    asyncio.run(serve_until_stopped(open_synthesizer, kept, open_device(device), host, port, token))


@cli.command()
def tasks() -> None:
    """List the tasks, and the plugins that failed to load."""
    registry = tried(PluginSource()).load()
    for task in registry.tasks.values():
        taken = [_option_name(p) + ("" if p.required else "?") for p in parameters(task.request)]
        click.echo(f"{task.name:18} {task.summary}\n{'':18} {' '.join(taken)}")
    for plugin in registry.plugins:
        if plugin.state != "ok":
            reason = plugin.error or plugin.disabled
            click.echo(f"plugin {plugin.name} {plugin.version} {plugin.state}: {reason}", err=True)


@cli.command()
def devices() -> None:
    """List the sound devices; * marks the one used when none is named."""
    for device in list_devices():
        mark = "*" if device.default else " "
        click.echo(
            f"{mark} {device.name}  ({device.api}, {device.inputs} in, {device.outputs} out, {device.rate:g} Hz)"
        )


@cli.command()
@click.argument("bundle", default="nano")
@click.option("--seconds", default=5.0, show_default=True, help="Length of the sound.")
@click.option("--threads", type=click.IntRange(min=1), help="Threads of the matrix products.  [default: all cores]")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
@backend_option
def bench(bundle: str, seconds: float, threads: int | None, as_json: bool, backend: str | None) -> None:
    """Measure every part of a bundle on every backend, side by side."""
    # Imported here, so that what needs no inference runtime starts sooner.
    from unison_engine.bench import bench as measure

    report = measure(bundle, seconds, backend, threads)
    click.echo(report.model_dump_json(indent=1) if as_json else report.markdown())


@cli.command()
@url_option
@token_option
@click.option("--every", default=1.0, show_default=True, type=click.FloatRange(min=0.1), help="Seconds between looks.")
@click.option("--once", is_flag=True, help="Print it once and end.")
def top(url: str, token: str, every: float, once: bool) -> None:
    """Watch a host that runs: its queue, its device, its plugins."""
    # Imported here, so that what draws nothing starts sooner.
    from rich import print as draw

    from unison_engine.client import connect
    from unison_engine.top import drawn, watch

    with connect(url, token) as host, contextlib.suppress(KeyboardInterrupt):
        draw(drawn(host)) if once else watch(host, every)


@cli.command()
def doctor() -> None:
    """Tell what this machine has, which backends work and why others do not, and what would be faster."""
    for line in examine(tried(PluginSource()).load()):
        click.echo(line)


cli.add_command(takes)
cli.add_command(plugins)


def main() -> None:
    """Entry point; an error that the user can mend ends as one line and exit status 1."""
    try:
        cli(prog_name="unison")
    except UnisonError as error:
        click.echo(f"unison: {error}", err=True)
        sys.exit(1)


def _task_command(task: Task[Any]) -> click.Command:
    options: list[click.Parameter] = [
        _option(parameter) for parameter in parameters(task.request) if parameter.name not in _HOST_FIELDS
    ]
    command = click.Command(task.name, params=options, callback=functools.partial(_run, task.name), help=task.summary)
    own = [
        click.option("-o", "output", type=click.Path(path_type=Path, dir_okay=False), help="Also write the WAV here."),
        click.option("--play", is_flag=True, help="Play the sound when it is ready."),
        bundle_option,
        backend_option,
        library_option,
        _device,
    ]
    for decorate in reversed(own):
        command = decorate(command)
    command.params.sort(key=lambda option: option.name in {"bundle", "backend", "library", "device"})
    return command


def _option_name(parameter: Parameter) -> str:
    return "--" + parameter.name.replace("_", "-")


def _option(parameter: Parameter) -> click.Option:
    kind = click.Choice(parameter.choices) if parameter.choices else parameter.kind
    text = parameter.description + (f"  [{parameter.unit}]" if parameter.unit else "")
    return click.Option(
        [_option_name(parameter), parameter.name],
        type=kind,
        required=parameter.required,
        default=parameter.default,
        show_default=parameter.default is not None,
        help=text,
    )


def _run(
    task: str,
    output: Path | None,
    play: bool,
    bundle: str,
    backend: str | None,
    library: Path | None,
    device: str | None,
    **arguments: object,
) -> None:
    # What cannot be done with the sound is told before the work is.
    if output:
        _check_output(output)
    player = open_device(device) if play else None
    engine = Engine.open(bundle, library, backend)
    given = {name: value for name, value in arguments.items() if value is not None}
    with progress_bar(task) as advance:
        take = engine.run(task, progress=advance, **given)
    if output:
        try:
            shutil.copyfile(take.path, output)
        except OSError as error:
            raise LibraryFailed(
                f"{str(output)!r} cannot be written ({error.strerror or error}); the take itself is {take.path}."
            ) from error
    click.echo(told(take, output or take.path))
    if player:
        _play(take.path, player)


def _check_output(output: Path) -> None:
    if str(output) == "-":
        raise BadArguments("-o writes a file, not to the standard output; name one, such as -o rain.wav.")
    folder = output.absolute().parent
    if not folder.is_dir():
        raise BadArguments(f"there is no folder {str(folder)!r} for -o; make it, or name another file.")
    if not os.access(output if output.exists() else folder, os.W_OK):
        raise BadArguments(f"{str(output)!r} cannot be written; name another file with -o.")


def _play(path: Path, device: Device) -> None:
    deck = Deck(device)
    deck.start()
    try:
        deck.play(read_sound(path, path.stem))
        deck.wait()
    finally:
        deck.close()


async def serve_until_stopped(
    open_synthesizer: Callable[[], StreamingSynthesizer],
    library: TakeLibrary,
    device: Device,
    host: str,
    port: int,
    token: str | None = None,
) -> None:
    """Serve until a client sends /unison/quit or the process is asked to end; say on stdout when ready."""
    # Imported here, so that what needs no server starts sooner.
    from unison_engine.host.server import Server

    async with Server(open_synthesizer, library, device, host, port, token) as server:
        for number in (signal.SIGINT, signal.SIGTERM):
            with contextlib.suppress(NotImplementedError):  # Windows, where Ctrl-C cancels instead.
                asyncio.get_running_loop().add_signal_handler(number, server.stopped.set)
        click.echo(
            f"unison {engine_version()} is ready: osc.udp://{server.address[0]}:{server.address[1]}, "
            f"bundle {server.model}, takes in {library.folder}, sound to {device.name}"
        )
        sys.stdout.flush()
        await server.stopped.wait()


def _open_bundle(bundle: str, backend: str | None = None) -> StreamingSynthesizer:
    # Called in the worker, the one process that loads the inference runtime.
    from unison_engine.runtime.synthesis import Synthesizer as BundleSynthesizer

    return BundleSynthesizer.open(bundle, backend=backend)
