"""Another PortAudio in the same process, for when the one there is hangs.

PortAudio 19.6 waits ten minutes for a JACK server that has died, and cannot be asked for anything meanwhile. What it
holds is global to its shared library; a copy of the file is another library to the loader, with globals of its own. The
old one stays loaded, as a thread is still in it.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

from unison_engine.errors import DeviceFailed

_left: list[Any] = []  # Libraries that hang; to unload one would take the code from under its thread.


def load_again(module: Any) -> None:
    """Have `sounddevice`, and with it rtmixer, use a fresh PortAudio, not yet initialised.

    Raises:
        DeviceFailed: the library cannot be copied, or this is not Linux.
    """
    try:
        maps = Path("/proc/self/maps").read_text()
        found = re.search(r"(/\S*libportaudio\S*)$", maps, re.MULTILINE)
        assert found, "sounddevice has loaded it"
        with tempfile.TemporaryDirectory(prefix="unison-portaudio-") as folder:
            copy = Path(folder) / "libportaudio.so"
            shutil.copyfile(found[1].removesuffix(" (deleted)"), copy)
            library = module._ffi.dlopen(str(copy))  # Once loaded the file may go.
    except OSError as error:
        raise DeviceFailed(f"PortAudio hangs, and another does not load ({error}); start the host again.") from error
    _left.append(module._lib)
    module._lib, module._initialized = library, 0
