"""The C# client in Mono; its Unity layer against the signatures that it uses."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.desks.desk import CLIENTS, SCRIPTS, at_desk
from unison_engine.testing import PATIENCE, LiveHost, NoiseSynthesizer

in_mono = pytest.mark.skipif(
    not (shutil.which("mcs") and shutil.which("mono")), reason="mono-mcs and mono-runtime are not installed"
)
PACKAGE = CLIENTS / "unity"
CLIENT = sorted((PACKAGE / "Runtime" / "Client").glob("*.cs"))
TOKEN = "a long secret"
open_slow_decoder = partial(NoiseSynthesizer, step_seconds=0.05, piece_seconds=0.25)


def compiled(output: Path, *sources: Path, options: tuple[str, ...] = ()) -> Path:
    command = ["mcs", "-langversion:7.2", "-warn:4", "-warnaserror", *options, f"-out:{output}", *map(str, sources)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return output


@in_mono
@pytest.mark.parametrize("transport", ["udp", "websocket"])
def test_the_exchange_in_mono(transport: str, tmp_path: Path) -> None:
    program = compiled(tmp_path / "exchange.exe", *CLIENT, SCRIPTS / "unity" / "Exchange.cs")
    with at_desk(tmp_path, lossy=transport == "udp") as desk:
        desk.assert_exchange(desk.run(["mono", str(program), transport, str(desk.port)]))


@in_mono
@pytest.mark.parametrize("transport", ["udp", "websocket"])
def test_sounds_are_read_while_they_are_made(transport: str, tmp_path: Path) -> None:
    program = compiled(tmp_path / "streaming.exe", *CLIENT, SCRIPTS / "unity" / "Streaming.cs")
    samples = tmp_path / "samples"
    address, token = ("127.0.0.1", None) if transport == "udp" else ("0.0.0.0", TOKEN)
    with LiveHost(open_slow_decoder, tmp_path / "takes", address, token) as host:
        command = ["mono", str(program), transport, str(host.port), token or "", str(samples)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as running:
            assert running.stdout is not None
            told = []
            try:
                for line in running.stdout:
                    told.append(line.removeprefix("desk: ").strip())
                    if told[-1] == "kill":
                        worker = host.server.worker.pid
                        assert worker is not None
                        os.kill(worker, signal.SIGKILL)
                running.wait(PATIENCE)
            finally:
                running.kill()
        (take,) = host.library.list()
    assert told == [
        "collections 0",
        "first True False",
        "whole 48000 1 144000 144000 0",
        f"done {take.path}",
        "fail bad_args",
        "cancelled",
        "job Canceled",
        "kill",
        "fail interrupted True",
    ]
    assert running.returncode == 0
    assert np.abs(np.fromfile(samples, np.float32) - soundfile.read(take.path)[0]).max() < 1e-4


@in_mono
def test_the_unity_layer_compiles_against_the_calls_it_uses(tmp_path: Path) -> None:
    sources = [path for folder in ("Runtime/Unity", "Editor", "Samples~") for path in (PACKAGE / folder).rglob("*.cs")]
    stubs = SCRIPTS / "unity" / "UnityStubs.cs"
    # 0649: fields that Unity fills. The stubs have events that nobody raises.
    compiled(tmp_path / "layer.dll", *CLIENT, *sources, stubs, options=("-target:library", "-nowarn:0649"))


def test_every_file_of_the_package_has_its_meta_file() -> None:
    """Unity ignores files without one in a package that it may not write to."""
    for path in PACKAGE.rglob("*"):
        hidden = any(part.endswith("~") or part.startswith(".") for part in path.relative_to(PACKAGE).parts)
        if not hidden and path.suffix != ".meta":
            assert path.with_name(path.name + ".meta").is_file(), path
