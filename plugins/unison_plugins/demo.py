"""Seven sounds, one of each task: `python -m unison_plugins.demo [FOLDER]`."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

from unison_engine.engine import Engine
from unison_engine.errors import UnisonError
from unison_engine.takes import Take

_LINE = "warning, the reactor is critical, leave now."

# `source` and `reference` name an earlier sound of this list: the model edits what it made itself.
REQUESTS: dict[str, dict[str, Any]] = {
    "text_to_audio": {"prompt": "heavy rain", "seconds": 5.0},
    "text_to_speech": {"text": _LINE, "voice": "female"},
    "voice_clone": {
        "text": "open the red gate, commander.",
        "reference": "text_to_speech",
        "transcript": _LINE,
    },
    "speech_and_sound": {
        "text": "welcome back, captain.",
        "voice": "male",
        "background": "ocean waves",
        "seconds": 4.0,
    },
    "scene_edit": {"source": "text_to_audio", "instruction": "Add a siren."},
    "speech_edit": {"source": "speech_and_sound", "instruction": "Remove the speech; keep the background sounds."},
    "timeline": {
        "events": "0.5-2.5 footsteps on gravel; 3.0-4.0 a door slams; 4.5-6.0 a dog barking",
        "seconds": 6.5,
    },
}
SEED = 7


def main(folder: str = "demo") -> None:
    """Make the sounds in a folder and print what each took."""
    started = time.perf_counter()
    engine = Engine.open("nano", Path(folder))
    print(f"model opened in {time.perf_counter() - started:.1f} s\n")
    print(f"{'task':18}{'seconds':>8}{'taken':>8}{'RTF':>7}  file")
    takes: dict[str, Take] = {}
    for task, request in REQUESTS.items():
        arguments: dict[str, Any] = {name: takes[v].id if v in takes else v for name, v in request.items()}
        started = time.perf_counter()
        take = engine.run(task, seed=SEED, out=task, **arguments)
        taken = time.perf_counter() - started
        takes[task] = take
        print(f"{task:18}{take.seconds:8.2f}{taken:8.2f}{taken / take.seconds:7.2f}  {take.path}", flush=True)
    print("\nRTF is the real-time factor, taken / seconds. The recipe of each sound is inside its file.")


if __name__ == "__main__":
    try:
        main(*sys.argv[1:2])
    except UnisonError as error:
        sys.exit(f"demo: {error}")
