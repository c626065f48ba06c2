"""What the speaking tasks share: described voices, and how long a line takes."""

from __future__ import annotations

import math
from typing import Literal

from unison_engine.conditioning import LEAD_SECONDS, TAIL_SECONDS, Line

Voice = Literal["female", "male"]


def spoken_seconds(text: str, wish: float | None, longest: float) -> float:
    """Length of a line in seconds: the wish, or what `text` takes at a calm reader's pace, at most `longest`."""
    spoken = Line.natural(text, LEAD_SECONDS, math.inf).end
    return wish or min(longest, spoken + TAIL_SECONDS)
