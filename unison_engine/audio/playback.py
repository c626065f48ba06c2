"""A sound that plays: how it was asked for, and how it stands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from unison_engine.audio.sound import Sound
from unison_engine.audio.stream import Stream
from unison_engine.audio.voice import Voice


@dataclass(frozen=True)
class Manner:
    """How a sound is played.

    Attributes:
        gain_db: of this sound alone.
        fade_in: seconds, from where it is entered.
        fade_out: seconds, up to its end.
        loop: it goes round until it is stopped.
        crossfade: seconds of the end that are laid over the beginning as it goes round; so much shorter is a round.
        offset: seconds into the sound, where it is entered.
    """

    gain_db: float = 0.0
    fade_in: float = 0.0
    fade_out: float = 0.0
    loop: bool = False
    crossfade: float = 0.01
    offset: float = 0.0


@dataclass
class Playback:
    """A sound that plays, or waits to.

    Attributes:
        id: what it is called.
        sound: what is played.
        manner: how.
        at: when, in Unix seconds; None for at once, or for a time that is not known yet.
        waits: it has no time yet.
        gain_db: what its gain was set to last.
        late: seconds by which its time was missed.
        begun: it was told that it began.
        underruns: how often it went on later, since it was not made yet.
    """

    id: int
    sound: Sound | Stream
    manner: Manner
    at: float | None
    waits: bool
    voice: Voice
    gain_db: float
    late: float = 0.0
    begun: bool = False
    underruns: int = 0


@dataclass(frozen=True)
class Standing:
    """How a playback stands.

    Attributes:
        playback: see `Playback`.
        state: waiting or playing.
        position: seconds into the sound, of what is heard now.
    """

    playback: Playback
    state: Literal["waiting", "playing"]
    position: float
