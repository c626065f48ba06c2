"""What the speaking tasks share: described voices, and how long a line takes."""

from __future__ import annotations

import math
from typing import Literal

from unison_engine.conditioning import LEAD_SECONDS, TAIL_SECONDS, Line
from unison_engine.errors import BadArguments

Voice = Literal["female", "male"]


# Nobody can speak in less.
SHORTEST_LINE = 0.5


def spoken_seconds(text: str, wish: float | None, longest: float, start: float = 0.0) -> float:
    """Length in seconds of a sound in which `text` is spoken from `start` on.

    It is the wish, or what the line takes at a calm reader's pace, at most `longest`.

    Raises:
        BadArguments: the sound ends too soon after `start`.
    """
    spoken = Line.natural(text, start + LEAD_SECONDS, math.inf).end
    seconds = wish or min(longest, spoken + TAIL_SECONDS)
    if seconds - start < SHORTEST_LINE:
        raise BadArguments(
            f"a line from {start:g} s on has no room in {seconds:g} s of sound; "
            f"start it at {max(0.0, seconds - SHORTEST_LINE):g} s or earlier, or ask for more seconds."
        )
    return seconds
