"""The JavaScript client, in Node, against a running host."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from unison_engine.testing import LiveHost, open_slow

CLIENT = Path(__file__).parent.parent / "clients" / "javascript"
TOKEN = "a long secret"

needs_node = pytest.mark.skipif(not shutil.which("node"), reason="node is missing: sudo apt-get install nodejs")


def node(*arguments: str | Path, **environment: str) -> str:
    done = subprocess.run(
        ["node", *arguments],
        cwd=CLIENT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@needs_node
def test_the_codec_of_the_client() -> None:
    node("--test", "test/osc.test.js")


@needs_node
@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0"])
def test_the_client_does_all_it_tells_with_a_running_host(tmp_path: Path, address: str) -> None:
    token = "" if address == "127.0.0.1" else TOKEN
    with LiveHost(open_slow, tmp_path, address, token or None) as host:
        node("--test", "test/engine.test.js", UNISON_URL=f"http://127.0.0.1:{host.port}", UNISON_TOKEN=token)


@needs_node
@pytest.mark.skipif(not shutil.which("npm"), reason="npm is missing: sudo apt-get install npm")
def test_the_package_holds_what_it_imports(tmp_path: Path) -> None:
    subprocess.run(["npm", "pack", "--pack-destination", tmp_path], cwd=CLIENT, check=True, capture_output=True)
    (archive,) = tmp_path.glob("*.tgz")
    home = tmp_path / "home" / "node_modules" / "unison-engine"
    home.mkdir(parents=True)
    shutil.unpack_archive(archive, tmp_path / "unpacked")
    shutil.copytree(tmp_path / "unpacked" / "package", home, dirs_exist_ok=True)
    script = tmp_path / "home" / "try.mjs"
    script.write_text(
        "import { connect } from 'unison-engine'; const unison = await connect(process.env.UNISON_URL);"
        "console.log((await unison.call('/unison/ping')).length); unison.close();"
    )
    with LiveHost(open_slow, tmp_path / "takes") as host:
        assert node(script, UNISON_URL=f"http://127.0.0.1:{host.port}") == "2\n"
