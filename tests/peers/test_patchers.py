"""Pure Data and SuperCollider: each asks for a sound, acts on the reply by having it edited, and quits on the next."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from unison_engine.testing import PATIENCE, LiveHost, open_fast

HERE = Path(__file__).parent
# Without a display, and as any user.
HEADLESS = {"QT_QPA_PLATFORM": "offscreen", "QTWEBENGINE_DISABLE_SANDBOX": "1"}


def assert_edits(command: list[str], tmp_path: Path) -> None:
    with LiveHost(open_fast, tmp_path / "takes") as host:
        (tmp_path / "runtime").mkdir(mode=0o700)
        environment = {**os.environ, **HEADLESS, "XDG_RUNTIME_DIR": str(tmp_path / "runtime")}
        filled = [part.replace("PORT", str(host.port)) for part in command]
        done = subprocess.run(
            filled, env=environment, capture_output=True, text=True, timeout=PATIENCE, stdin=subprocess.DEVNULL
        )
        assert done.returncode == 0, done.stdout + done.stderr
        sound, edit = host.library.list()
        assert sound.recipe.task == "text_to_audio" and sound.seconds == 0.5
        assert edit.recipe.task == "scene_edit" and edit.recipe.parent == sound.id
        assert edit.recipe.request["instruction"] == "Add wind."


@pytest.mark.skipif(not shutil.which("pd"), reason="puredata-core is not installed")
def test_pure_data(tmp_path: Path) -> None:
    assert_edits(["pd", "-nogui", "-noaudio", "-stderr", "-send", "port PORT", str(HERE / "edit.pd")], tmp_path)


@pytest.mark.skipif(not shutil.which("sclang"), reason="supercollider-language is not installed")
def test_supercollider(tmp_path: Path) -> None:
    assert_edits(["sclang", str(HERE / "edit.scd"), "PORT"], tmp_path)
