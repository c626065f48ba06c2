"""The Pure Data abstractions."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.desks.desk import CLIENTS, SCRIPTS, at_desk

pytestmark = pytest.mark.skipif(not shutil.which("pd"), reason="puredata-core is not installed")
PD = ["pd", "-nogui", "-noaudio", "-stderr", "-noprefs", "-path", str(CLIENTS / "pd")]


def test_the_exchange_in_pd(tmp_path: Path) -> None:
    with at_desk(tmp_path) as desk:
        desk.assert_exchange(desk.run([*PD, "-send", f"port {desk.port}", str(SCRIPTS / "exchange.pd")]))


def test_the_help_patch_opens_without_complaint(tmp_path: Path) -> None:
    with at_desk(tmp_path) as desk:
        assert desk.run([*PD, "-send", "pd quit", str(CLIENTS / "pd" / "unison-run-help.pd")]) == ""
