"""Sounds that start at a bar of a transport, and everything that is heard of that transport."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from unison_engine.audio.deck import Deck
from unison_engine.audio.playback import Manner, Playback
from unison_engine.audio.sound import Sound
from unison_engine.audio.stream import Stream
from unison_engine.errors import BadArguments, UnknownPlayback
from unison_engine.host import daw
from unison_engine.host.cue import Cue
from unison_engine.host.jack_transport import JackTransport, Reading
from unison_engine.host.osc import Message
from unison_engine.host.transport import Transport

CHASE_SECONDS = 0.25
"""So much of what follows a cue may have passed when it is heard of; the sound is then entered where it should be."""
_NEWS = 0.1
NONE, OSC, JACK = "none", "osc", "jack"

State = tuple[str, int, float, float, float, float]


class Player:
    """Plays on a deck, at once, at a time, or at a place of the transport. Any thread may use it."""

    def __init__(self, deck: Deck, changed: Callable[[State], None]) -> None:
        """`changed` is called when the transport that is followed starts, stops, jumps or changes its tempo."""
        self.source = NONE
        self._deck = deck
        self._changed = changed
        self._lock = threading.RLock()
        self._transport = Transport()
        self._rate = 48_000.0
        self._cues: dict[int, Cue] = {}  # By playback.
        self._jack: JackTransport | None = None
        self._told = (False, 0.0, 0.0)

    def play(self, sound: Sound | Stream, manner: Manner | None, at: float | None, cue: Cue) -> Playback:
        """Play a sound at the Unix time `at`, or now, unless the cue names a place.

        Then it waits until the transport comes there, however often that stops and jumps before.

        Raises:
            BadArguments: no transport is followed, or the sound is to be entered behind its end.
            QueueFull: too many sounds play.
        """
        if not cue.place:
            return self._deck.play(sound, manner, at)
        if self.source == NONE:
            raise BadArguments(f"no transport is followed, so {cue.place} never comes; send /unison/transport/follow.")
        with self._lock:
            playback = self._deck.play(sound, manner, wait=True)
            self._cues[playback.id] = cue
            self._set_cues()
        return playback

    def stop(self, playback_id: int) -> None:
        """End a playback.

        Raises:
            UnknownPlayback: it has ended, or there never was one.
        """
        self._deck.stop(playback_id)

    def follow(self, source: str, bpm: float, beats_per_bar: float, rate: float) -> None:
        """Follow another transport; what waits for a place waits for that of the new one.

        Raises:
            DeviceFailed: JACK is to be followed, and does not answer.
        """
        self.close()
        with self._lock:
            self.source, self._rate = source, rate
            self._transport = Transport(bpm, beats_per_bar)
            self._set_cues()
        if source == JACK:
            try:
                self._jack = JackTransport(self._jack_is)
            except BaseException:
                self.source = NONE
                raise

    def close(self) -> None:
        """Follow nothing."""
        if self._jack:
            self._jack.close()
            self._jack = None

    def hears(self, message: Message) -> bool:
        """Take what a DAW that is followed sends; False for a message that is not from one."""
        if message.address.startswith("/unison/") or self.source in (NONE, OSC, JACK):
            return False
        with self._lock:
            if daw.hear(self.source, message, self._transport, self._rate, time.time()):
                self._heard()
        return True  # DAWs send much else, which nobody asked for and nobody is to answer.

    def set_transport(
        self, at: float, seconds: float, bpm: float, playing: bool, bar: float | None, beats_per_bar: float
    ) -> None:
        """The transport is at `seconds` and `bar` at the Unix time `at`.

        Raises:
            BadArguments: it is not the transport that is followed.
        """
        if self.source != OSC:
            raise BadArguments(f"the transport that is followed is {self.source!r}; send /unison/transport/follow osc.")
        with self._lock:
            self._read((at, seconds, playing, bpm, beats_per_bar, bar))

    def transport_now(self) -> State:
        """Source, 1 if it moves, seconds, bpm, bar, beats of a bar."""
        with self._lock:
            transport, now = self._transport, time.time()
            return (
                self.source,
                int(transport.playing),
                transport.where(now),
                transport.bpm,
                transport.bar(now),
                transport.beats_per_bar,
            )

    def _jack_is(self, reading: Reading) -> None:
        with self._lock:
            self._read(reading)

    def _read(self, reading: Reading) -> None:
        at, seconds, playing, bpm, beats_per_bar, bar = reading
        transport = self._transport
        transport.beats_per_bar = beats_per_bar or transport.beats_per_bar
        if bpm:
            transport.at_tempo(bpm)
        transport.playing = playing
        transport.exactly(seconds, at)
        transport.at_bar(1.0 + seconds / transport.bar_seconds if bar is None else bar)
        self._heard()

    def _heard(self) -> None:
        self._set_cues()
        transport = self._transport
        # Of a transport that moves, where it would have been at the Unix time 0 tells whether it has jumped.
        playing, bpm, line = transport.playing, transport.bpm, transport.where(0.0)
        before = self._told
        if playing != before[0] or abs(bpm - before[1]) > _NEWS or abs(line - before[2]) > _NEWS:
            self._told = (playing, bpm, line)
            self._changed(self.transport_now())

    def _set_cues(self) -> None:
        for number, cue in list(self._cues.items()):
            try:
                playback = self._deck.get(number)
                if playback.begun:
                    if not self._transport.playing:
                        self._deck.stop(number)
                    continue
                at = cue.when(self._transport)
                self._deck.schedule(number, at if at is not None and at > time.time() - CHASE_SECONDS else None)
            except UnknownPlayback:
                del self._cues[number]
