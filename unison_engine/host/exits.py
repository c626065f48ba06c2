"""How processes end, in words."""

from __future__ import annotations

import signal


def exit_told(code: int | None) -> str:
    """By a signal, with an exit code, or not at all (None)."""
    if code is None:
        return "it closed its connection"
    if code < 0:
        return f"killed by {signal.Signals(-code).name}"
    return f"exit code {code}"
