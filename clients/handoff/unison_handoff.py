"""Carries one request between a file and the Unison engine, for programs that can start a program but open no socket.

`python3 unison_handoff.py NOTE` reads NOTE, sends its request over UDP until its end is heard, and writes what the
engine tells to NOTE.told, a line each. NOTE is UTF-8: HOST:PORT, the OSC address, and one argument a line, type first:

    127.0.0.1:7770
    /unison/run/text_to_audio
    s heavy rain
    f 4.0

A backslash stands before n for a new line, t for a tab, and itself. The lines of NOTE.told are values between tabs:
`ack JOB`, `progress FRACTION STAGE`, `alive` every five seconds, and last one of
`done PATH SECONDS RATE CHANNELS ASSET SEED LUFS`, `fail CODE TEXT` and `cancelled`. A file NOTE.cancel ends the job.
Nothing but Python 3.8 is needed.
"""

import os
import random
import re
import socket
import struct
import sys
import time

AGAIN_SECONDS = 1.0
# Every repetition is answered while the engine is there.
SILENCE_SECONDS = 10.0
POLL_SECONDS = 0.1
# Who reads the note takes it that this program died where it is quiet for much longer.
ALIVE_SECONDS = 5.0
ESCAPES = {"n": "\n", "t": "\t", "\\": "\\"}


def encode(address, arguments):
    """An OSC 1.0 message of (tag, value) pairs, tags i, f and s."""
    body = b"".join(_padded(value) if tag == "s" else struct.pack(">" + tag, value) for tag, value in arguments)
    return _padded(address) + _padded("," + "".join(tag for tag, _ in arguments)) + body


def decode(packet):
    """Address and values of a message; ValueError if it is none."""
    address, at = _text(packet, 0)
    tags, at = _text(packet, at)
    values = []
    for tag in tags[1:]:
        if tag == "s":
            value, at = _text(packet, at)
        elif tag in "if":
            if len(packet) < at + 4:
                raise ValueError("it ends too soon")
            value = struct.unpack_from(">" + tag, packet, at)[0]
            at += 4
        else:
            raise ValueError(f"OSC type {tag} is not read here")
        values.append(value)
    return address, values


def read_note(text):
    """(host, port), address and arguments of a note; ValueError tells what is wrong with it."""
    place, address, *lines = text.rstrip("\n").split("\n")
    host, _, port = place.rpartition(":")
    arguments = []
    for line in lines:
        tag, _, text = line.partition(" ")
        if tag not in ("i", "f", "s"):
            raise ValueError(f"{line!r} begins with no type; the types are i, f and s.")
        value = {"i": int, "f": float, "s": unescape}[tag](text)
        if tag == "i" and not -(1 << 31) <= value < 1 << 31:
            raise ValueError(f"{value} is no number of 32 bits; 2147483647 is the largest.")
        arguments.append((tag, value))
    if not 0 < int(port) < 65536:
        raise ValueError(f"{port} is no port; a port is 1 to 65535.")
    return (host, int(port)), address, arguments


def unescape(text):
    """A value as it was before it became part of a line."""
    return re.sub(r"\\(.)", lambda match: ESCAPES.get(match[1], match[0]), text)


def escape(value):
    """A value as part of a line."""
    text = f"{value:.9g}" if isinstance(value, float) else str(value)
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace("\t", "\\t")


def carry(note):
    """Send the request of a note until it ends."""
    with open(note + ".told", "w", encoding="utf-8", newline="\n") as told:

        def tell(*values):
            told.write("\t".join(map(escape, values)) + "\n")
            told.flush()

        try:
            with open(note, encoding="utf-8") as file:
                engine, address, arguments = read_note(file.read())
        except (OSError, ValueError) as error:
            tell("fail", "bad_args", f"{note} cannot be used: {error}")
            return
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
            line.settimeout(POLL_SECONDS)
            try:
                _exchange(line, engine, address, arguments, note + ".cancel", tell)
            except OSError as error:
                tell("fail", "unreachable", f"{engine[0]}:{engine[1]} cannot be reached: {error}")
            except Exception as error:  # Who waits for the end of the note must hear of one.
                tell("fail", "internal", f"{type(error).__name__} in the hand-off program: {error}")
                raise


def _exchange(line, engine, address, arguments, cancel_file, tell):
    # The engine knows the numbers of a client on the same port for a minute, so they start anywhere.
    request = random.randrange(1, 1 << 30)
    packet = encode(address, [("i", request), *arguments])
    job = ""
    sent = None
    heard = alive = time.monotonic()
    while True:
        now = time.monotonic()
        if now - alive > ALIVE_SECONDS:
            alive = now
            tell("alive")
        if now - heard > SILENCE_SECONDS:
            tell("fail", "unreachable", f"no engine answers at {engine[0]}:{engine[1]}; start it with: unison serve")
            return
        if sent is None or now - sent >= AGAIN_SECONDS:
            sent = now
            line.sendto(packet, engine)
            if job and os.path.exists(cancel_file):
                line.sendto(encode("/unison/job/cancel", [("i", request + 1), ("s", job)]), engine)
        try:
            where, values = decode(line.recv(65536))
        except socket.timeout:  # noqa: UP041, it is another class before Python 3.10
            if job and os.path.exists(cancel_file):
                sent = None
            continue
        except (ConnectionError, ValueError):
            continue  # Nobody is there yet, or it is somebody else.
        heard = now
        kind = where.rpartition("/")[2]
        if where == "/unison/progress" and values[0] == job:
            tell(kind, values[1], values[2])
        elif len(values) > 2 and values[1] == request:
            if kind == "ack" and not job:
                job = values[2]
                tell(kind, job)
            elif kind == "done":
                tell(kind, *values[3:])
                return
            elif kind == "fail":
                tell(kind, values[2], values[3])
                return
            elif kind == "cancelled":
                tell(kind)
                return


def _padded(text):
    data = text.encode()
    return data + b"\0" * (4 - len(data) % 4)


def _text(packet, at):
    end = packet.index(b"\0", at)
    return packet[at:end].decode(), (end // 4 + 1) * 4


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    carry(sys.argv[1])
