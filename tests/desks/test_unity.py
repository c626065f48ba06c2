"""The C# client in Mono; its Unity layer against the signatures that it uses."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.desks.desk import CLIENTS, SCRIPTS, at_desk

pytestmark = pytest.mark.skipif(
    not (shutil.which("mcs") and shutil.which("mono")), reason="mono-mcs and mono-runtime are not installed"
)
PACKAGE = CLIENTS / "unity"
CLIENT = sorted((PACKAGE / "Runtime" / "Client").glob("*.cs"))


def compiled(output: Path, *sources: Path, options: tuple[str, ...] = ()) -> Path:
    command = ["mcs", "-langversion:7.2", "-warn:4", "-warnaserror", *options, f"-out:{output}", *map(str, sources)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return output


@pytest.mark.parametrize("transport", ["udp", "websocket"])
def test_the_exchange_in_mono(transport: str, tmp_path: Path) -> None:
    program = compiled(tmp_path / "exchange.exe", *CLIENT, SCRIPTS / "unity" / "Exchange.cs")
    with at_desk(tmp_path, lossy=transport == "udp") as desk:
        desk.assert_exchange(desk.run(["mono", str(program), transport, str(desk.port)]))


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
