"""Plugins are loaded in another process first: one that ends its process, or never returns, takes nothing with it."""

from __future__ import annotations

import contextlib
import multiprocessing
from dataclasses import replace
from multiprocessing.connection import Connection

from unison_engine.errors import PluginFailed
from unison_engine.host.exits import exit_told
from unison_engine.registry import OWN, Plugin, PluginSource

TRIAL_SECONDS = 30.0


class Deadly(PluginFailed):
    """A plugin ended the process that loaded it, or did not return."""


def tried(source: PluginSource) -> PluginSource:
    """The same plugins, of which those that cannot be loaded at all are noted as broken.

    Raises:
        PluginFailed: what is switched off cannot be read, or plugins cannot be tried.
    """
    broken = dict(source.broken)
    if all(name == OWN for name in source.names()):
        return source  # Without strangers a host starts sooner.
    while True:
        told = replace(source, broken=broken)
        try:
            load_elsewhere(told)
        except Deadly as error:
            broken[error.plugin] = str(error)
        else:
            return told


def load_elsewhere(source: PluginSource, fresh: str = "") -> tuple[Plugin, ...]:
    """Load the plugins in a process of their own, `fresh` even if it is noted as broken; returns how they are.

    Raises:
        Deadly: one ended the process, or did not return in time.
        PluginFailed: what is switched off cannot be read, or plugins cannot be tried.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_load_and_tell, args=(theirs, source, fresh), name="unison-trial", daemon=True)
    process.start()
    theirs.close()
    entered = ""
    try:
        while True:
            if not ours.poll(TRIAL_SECONDS if entered else None):
                raise Deadly(f"the plugin {entered!r} did not load within {TRIAL_SECONDS:g} s.", entered)
            told = ours.recv()
            if isinstance(told, PluginFailed):
                raise told
            if not isinstance(told, str):
                return tuple(told)
            entered = told
    except (EOFError, OSError) as error:
        process.join()
        ended = exit_told(process.exitcode)
        if not entered:
            raise PluginFailed(f"plugins cannot be tried: the process for it ended ({ended}).") from error
        raise Deadly(f"the plugin {entered!r} ended the process that loaded it: {ended}.", entered) from error
    finally:
        process.kill()
        process.join()
        ours.close()


def _load_and_tell(pipe: Connection, source: PluginSource, fresh: str) -> None:
    with contextlib.suppress(OSError):
        try:
            pipe.send(source.load(fresh, pipe.send).plugins)
        except PluginFailed as error:
            pipe.send(error)
