"""The engine and its plugins on a machine that has nothing of ours."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile

ROOT = Path(__file__).parent.parent


@pytest.mark.slow
def test_an_empty_environment_makes_a_sound_without_torch_under_400_mb(tmp_path: Path) -> None:
    environment = tmp_path / "empty"
    subprocess.run([sys.executable, "-m", "venv", environment], check=True)
    program = environment / "bin"
    subprocess.run([program / "pip", "install", "-q", ROOT, ROOT / "plugins"], check=True)
    # Without a cache, so that the language model's weights are fetched and assembled as on the first day.
    outside = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache"), "PYTHONPATH": ""}
    wav = tmp_path / "rain.wav"
    command: list[str | Path] = [
        "run",
        "text_to_audio",
        "--prompt",
        "heavy rain",
        "--seconds",
        "1",
        "--steps",
        "4",
        "-o",
        wav,
    ]
    subprocess.run(
        [program / "unison", *command, "--library", tmp_path / "takes"], check=True, cwd=tmp_path, env=outside
    )
    assert soundfile.info(wav).duration == 1.0
    torch = subprocess.run([program / "python", "-c", "import torch"], capture_output=True, check=False)
    assert torch.returncode != 0
    installed = sum(file.stat().st_size for file in environment.rglob("*") if file.is_file() and not file.is_symlink())
    print(f"installed: {installed / 1e6:.0f} MB")
    assert installed < 400e6
