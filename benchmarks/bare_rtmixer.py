"""A bare client of rtmixer: one stream like the host's, and a ring that is kept 0.1 s full of silence.

python -m benchmarks.bare_rtmixer

Each line on stdin is answered with the underruns so far, counted as the host counts its own: those that PortAudio
tells, and those of the ring. It has no mixer, no server and no worker: what it counts is the machine's.
"""

from __future__ import annotations

import sys
import threading
import time

import rtmixer
import sounddevice

_AHEAD_SECONDS = 0.1
_TURN_SECONDS = 0.005
_FRAME_BYTES = 8


def main() -> None:
    """Play until stdin ends."""
    device = next(n for n, found in enumerate(sounddevice.query_devices()) if found["name"] == "system")
    stream = rtmixer.MixerAndRecorder(device=device, channels=2, samplerate=48_000, blocksize=0)
    threading.Thread(target=_keep_full, args=(stream,), daemon=True).start()
    print("ready", flush=True)
    for _ in sys.stdin:
        print(underruns, flush=True)


underruns = 0


def _keep_full(stream: rtmixer.MixerAndRecorder) -> None:
    global underruns
    ahead = round(_AHEAD_SECONDS * stream.samplerate)
    ring, heard = rtmixer.RingBuffer(_FRAME_BYTES, 1 << 17), rtmixer.RingBuffer(_FRAME_BYTES, 1 << 17)
    ring.write(bytes(_FRAME_BYTES * ahead))
    stream.start()
    playing, stats = stream.play_ringbuffer(ring), None
    stream.record_ringbuffer(heard)
    while True:
        time.sleep(_TURN_SECONDS)
        ring.write(bytes(_FRAME_BYTES * max(0, ahead - ring.read_available)))
        heard.read(heard.read_available)
        if playing not in stream.actions:
            underruns += 1
            playing = stream.play_ringbuffer(ring)
        if stats is None or stats not in stream.actions:
            underruns += stats.stats.output_underflows if stats else 0
            stats = stream.fetch_and_reset_stats()


if __name__ == "__main__":
    main()
