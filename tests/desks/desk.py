"""What every client at the desk is asked to do, and how it is seen that it did."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.relay import Relay
from unison_engine.takes import TakeLibrary
from unison_engine.testing import PATIENCE, LiveHost, open_slow

ROOT = Path(__file__).parents[2]
CLIENTS = ROOT / "clients"
SCRIPTS = Path(__file__).parent


@dataclass(frozen=True)
class Desk:
    """A live engine behind a line that loses datagrams or not.

    Attributes:
        port: of the line.
        library: where the engine keeps what it makes.
        losses: how many datagrams the line loses.
        lost: how many it has lost so far.
    """

    port: int
    library: TakeLibrary
    losses: int
    lost: Callable[[], int]

    def run(self, command: Sequence[str], environment: Mapping[str, str] | None = None, cwd: Path | None = None) -> str:
        """Run a program until it ends well; what it wrote."""
        done = subprocess.run(
            [str(part) for part in command],
            env={**os.environ, **(environment or {})},
            cwd=cwd,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            stdin=subprocess.DEVNULL,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def assert_exchange(self, output: str, further: int = 0) -> None:
        """The program made a sound, edited it, was refused, and cancelled; it was told all of that, and so are we.

        Its lines begin with `desk:`. Each end is told once, though requests were sent
        more than once; the long job is cancelled at its first progress.
        `further` takes may come after those two.
        """
        lines = [line.split("desk:", 1)[1].split() for line in output.splitlines() if "desk:" in line]
        assert ["progress"] in lines, output
        told = [line for line in lines if line != ["progress"]]
        sound, edit, *rest = self.library.list()
        assert len(rest) == further
        assert sound.recipe.task == "text_to_audio" and sound.seconds == 0.5
        assert sound.recipe.request["prompt"] == "heavy rain" and sound.recipe.seed == 42
        assert edit.recipe.task == "scene_edit" and edit.recipe.parent == sound.id
        assert edit.recipe.request["instruction"] == "Add wind."
        assert told == [
            ["done", str(sound.path), "0.5"],
            ["done", str(edit.path), "0.5"],
            ["fail", "bad_args"],
            ["cancelled"],
        ], output
        assert self.lost() == self.losses


@contextmanager
def at_desk(tmp_path: Path, lossy: bool = True) -> Iterator[Desk]:
    """Serve takes into `tmp_path/takes`; a line that loses nothing is the engine's own port, UDP and TCP."""
    with LiveHost(open_slow, tmp_path / "takes") as host:
        if lossy:
            with Relay(host.port) as relay:
                yield Desk(relay.port, host.library, 2, lambda: relay.lost)
        else:
            yield Desk(host.port, host.library, 0, lambda: 0)
