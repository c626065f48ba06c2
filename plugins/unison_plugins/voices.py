"""What the speaking tasks share: described voices, and how long a line takes."""

from __future__ import annotations

from typing import Literal

# Read English runs at about 14 characters a second; the pause around it keeps the first and last sound whole.
_CHARACTERS_PER_SECOND = 14.0
_PAUSE_SECONDS = 0.6

Voice = Literal["female", "male"]


def spoken_seconds(text: str, wish: float | None, longest: float) -> float:
    """Length of a line in seconds: the wish, or what `text` takes at reading speed, at most `longest`."""
    return wish or min(longest, _PAUSE_SECONDS + len(text) / _CHARACTERS_PER_SECOND)
