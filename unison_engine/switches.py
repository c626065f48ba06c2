"""Which plugins are switched off, and why: a small file of the user's that every process of the engine reads."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

import platformdirs
from pydantic import RootModel, ValidationError

from unison_engine.errors import PluginFailed


class _Off(RootModel[dict[str, str]]):
    """Reasons by the name of the plugin."""


class Switches:
    """The file that holds them, by default `plugins.json` in the user's configuration folder for Unison."""

    def __init__(self, file: Path | None = None) -> None:
        """Use `file`; it need not be there while nothing is switched off."""
        self.file = file or Path(platformdirs.user_config_dir("unison")) / "plugins.json"

    def off(self) -> dict[str, str]:
        """Why each plugin that is switched off is so.

        Raises:
            PluginFailed: the file is there and cannot be read.
        """
        try:
            return _Off.model_validate_json(self.file.read_text(encoding="utf-8")).root
        except FileNotFoundError:
            return {}
        except (OSError, UnicodeDecodeError, ValidationError) as error:
            raise PluginFailed(
                f"{str(self.file)!r}, which says what plugins are disabled, cannot be read ({type(error).__name__}); "
                "mend it, or delete it to have all plugins enabled."
            ) from error

    def set(self, plugin: str, reason: str | None) -> None:
        """Switch a plugin off for a reason, or on with None.

        Raises:
            PluginFailed: the file cannot be read or written.
        """
        off = self.off()
        off.pop(plugin, None)
        if reason is not None:
            off[plugin] = reason
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=self.file.parent, delete=False) as part:
                json.dump(off, part, indent=1)
            os.replace(part.name, self.file)
        except OSError as error:
            raise PluginFailed(f"{str(self.file)!r} cannot be written: {error.strerror}.") from error
