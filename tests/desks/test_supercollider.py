"""The SuperCollider classes, in sclang."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.desks.desk import CLIENTS, SCRIPTS, at_desk


@pytest.mark.skipif(not shutil.which("sclang"), reason="supercollider-language is not installed")
def test_the_exchange_in_sclang(tmp_path: Path) -> None:
    configuration = tmp_path / "sclang.yaml"
    configuration.write_text(f"includePaths:\n  - {CLIENTS / 'supercollider'}\n")
    (tmp_path / "runtime").mkdir(mode=0o700)
    environment = {
        "QT_QPA_PLATFORM": "offscreen",
        "QTWEBENGINE_DISABLE_SANDBOX": "1",
        "XDG_RUNTIME_DIR": str(tmp_path / "runtime"),
    }
    with at_desk(tmp_path) as desk:
        command = ["sclang", "-l", str(configuration), str(SCRIPTS / "exchange.scd"), str(desk.port)]
        desk.assert_exchange(desk.run(command, environment))
