"""A fence around the code of plugins: what it raises is told with the plugin's name."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator, Mapping

from unison_engine.errors import PluginFailed, UnisonError

log = logging.getLogger(__name__)


class Guard:
    """Enter it with the name of a task, an effect or a command around each call of a plugin's code."""

    def __init__(self, owners: Mapping[str, str], entered: Callable[[str, str], None] = lambda plugin, part: None):
        """`owners` are plugins by what they brought.

        `entered` is called with the plugin and what is called before, and with two empty strings after.
        """
        self._owners = owners
        self._entered = entered

    @contextlib.contextmanager
    def __call__(self, part: str) -> Iterator[None]:
        """Around one call.

        Raises:
            UnisonError: the plugin raised it; it was meant for the user.
            PluginFailed: the plugin raised anything else, SystemExit included.
        """
        plugin = self._owners.get(part, "")
        self._entered(plugin, part)
        try:
            yield
        except UnisonError:
            raise
        except (Exception, SystemExit) as error:
            who = f"the plugin {plugin!r} failed in {part!r}" if plugin else f"{part!r} failed"
            log.error("%s", who, exc_info=error)
            told = f"{who} with {type(error).__name__}: {error}; the log has the traceback for its author."
            raise PluginFailed(told, plugin) from error
        finally:
            self._entered("", "")
