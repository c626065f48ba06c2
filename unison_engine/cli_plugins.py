"""`unison plugins`: what is installed, why something does not work, and a start for one's own."""

from __future__ import annotations

from pathlib import Path

import click

from unison_engine.registry import PluginSource, Registry
from unison_engine.scaffold import new_plugin
from unison_engine.switches import Switches
from unison_engine.trial import tried

_plugin = click.argument("name")
url_option = click.option(
    "--url", default="tcp://127.0.0.1:7770", show_default=True, help="Where `unison serve` listens."
)
token_option = click.option("--token", envvar="UNISON_TOKEN", default="", help="Its token.  [env: UNISON_TOKEN]")


def _registry() -> Registry:
    """Plugins that end the process that loads them are listed as well, and can be switched off."""
    return tried(PluginSource()).load()


@click.group()
def plugins() -> None:
    """Plugins that are installed: list, show, switch off and on, reload; and make a new one."""


@plugins.command("list")
def list_plugins() -> None:
    """List all plugins; of what does not work the reason stands below."""
    for plugin in _registry().plugins:
        click.echo(f"{plugin.name:20} {plugin.version:10} {plugin.state:9} {', '.join(plugin.offers)}")
        if reason := plugin.error or plugin.disabled:
            click.echo(f"{'':20} {reason}\n{'':20} unison plugins show {plugin.name}")


@plugins.command()
@_plugin
def show(name: str) -> None:
    """Show all that is known of a plugin, the whole traceback where it failed."""
    plugin = _registry().plugin(name)
    for key in ("name", "version", "module", "state"):
        click.echo(f"{key:9} {getattr(plugin, key)}")
    click.echo(f"hooks     {', '.join(plugin.hooks)}")
    for offer in plugin.offers:
        click.echo(f"offers    {offer}")
    if plugin.disabled:
        click.echo(f"reason    {plugin.disabled}\nenable    unison plugins enable {plugin.name}")
    if plugin.traceback:
        click.echo(f"\n{plugin.traceback.rstrip()}")


@plugins.command()
@_plugin
@click.option("--reason", default="Switched off from the shell.", help="Kept, and shown to who asks for it.")
def disable(name: str, reason: str) -> None:
    """Switch a plugin off. A host that runs takes it up at `unison plugins reload NAME`."""
    _registry().plugin(name)
    Switches().set(name, reason)
    click.echo(f"{name} is disabled; `unison plugins enable {name}` has it back.")


@plugins.command()
@_plugin
def enable(name: str) -> None:
    """Switch a plugin on again, and try it. A host that runs takes it up at `unison plugins reload NAME`."""
    _registry().plugin(name)
    Switches().set(name, None)
    plugin = _registry().plugin(name)
    click.echo(f"{name} is {plugin.state}. {plugin.error}".rstrip())


@plugins.command()
@_plugin
@url_option
@token_option
def reload(name: str, url: str, token: str) -> None:
    """Have a host that runs read a plugin anew; one that does not load changes nothing."""
    # Imported here, so that what needs no network starts sooner.
    from unison_engine.client import connect

    with connect(url, token) as host:
        _, version, state = map(str, host.call("/unison/plugin/reload", name))
    click.echo(f"{name} {version} is {state}.".replace("  ", " "))


@plugins.command()
@_plugin
@click.option(
    "--into",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("."),
    help="Where its folder is made.  [default: here]",
)
def new(name: str, into: Path) -> None:
    """Make a small plugin that works at once, to start from."""
    folder = new_plugin(name, into)
    click.echo(f"{folder} is ready: pip install -e '{folder}[test]', then pytest in it, then unison run {name}.")
