"""Draw `docs/desks/python.png`: the block of the page beside it that draws, run as it stands against the shipped model.

python -m docs.draw_python
"""

from __future__ import annotations

import functools
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

from unison_engine.cli import _open_bundle
from unison_engine.testing import LiveHost

PAGE = Path(__file__).parent / "desks" / "python.md"


def main() -> None:
    """Only the port is another than in the block."""
    (block,) = re.findall(r"```python\n(import matplotlib.*?)```", PAGE.read_text(), re.DOTALL)
    served = functools.partial(_open_bundle, "nano", "onnxruntime")
    with tempfile.TemporaryDirectory() as folder, LiveHost(served, Path(folder, "takes")) as host:
        assert block.count("127.0.0.1:7770") == 1
        command = [sys.executable, "-c", block.replace(":7770", f":{host.port}")]
        subprocess.run(command, cwd=folder, check=True)
        picture = Image.open(Path(folder, "edit.png")).convert("RGB")
    picture.quantize(128, dither=Image.Dither.NONE).save(PAGE.with_suffix(".png"), optimize=True)


if __name__ == "__main__":
    main()
