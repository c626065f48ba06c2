"""What the host sends: replies and events, declared for the reference and for OSCQuery."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Reply:
    """What answers a command.

    Attributes:
        address: of the reply.
        fields: what follows the fixed arguments of that address, as `s name, f seconds`.
    """

    address: str = "/unison/done"
    fields: str = ""


DONE = Reply()


@dataclass(frozen=True)
class Sent:
    """One address of replies or events.

    Attributes:
        address: its OSC address.
        fields: its arguments, as `s job, f fraction`; a final `...` stands for what the command adds.
        when: one line for people.
    """

    address: str
    fields: str
    when: str


SENT = (
    Sent("/unison/ack", "s command, i req, s job, i position, f eta_s", "A job was accepted; eta_s is -1 if unknown."),
    Sent("/unison/done", "s command, i req, s job, ...", "A command, or the job that it started, succeeded."),
    Sent("/unison/fail", "s command, i req, s code, s message, s job", "It was refused or failed; the code is stable."),
    Sent("/unison/cancelled", "s command, i req, s job, s was", "The job was cancelled while `queued` or `running`."),
    Sent("/unison/progress", "s job, f fraction, s stage, i step, i steps, f eta_s", "The job went on."),
    Sent("/unison/item", "s command, i req, i index, ...", "One entry of a list."),
    Sent("/unison/end", "s command, i req, i count", "A list is complete."),
    Sent("/unison/late", "s command, i req, f seconds_late", "A sound began after the time tag of its bundle."),
)

EVENTS = (
    Sent("/unison/event/asset", "s asset, s state", "To who wants `asset`: a take was added, removed or renamed."),
    Sent("/unison/event/device", "s state, s name", "To who wants `device`: a device was opened, lost or closed."),
    Sent("/unison/event/job", "s job, s task, s state", "To who wants `job`: a job is in another state."),
    Sent(
        "/unison/event/meter",
        "f out_peak, f out_rms, f in_peak, f in_rms, f reduction_db",
        "To who wants `meter`, about 20 times a second: dBFS since the last, of the loudest channel that goes out and "
        "that came in (-120 for silence), and what the limiter took away.",
    ),
    Sent("/unison/event/play", "i playback, s asset, s state", "To who wants `play`: a playback has started or ended."),
    Sent(
        "/unison/event/transport",
        "s source, i playing, f seconds, f bpm, f bar, f beats_per_bar",
        "To who wants `transport`: it starts, stops, jumps, or has another tempo.",
    ),
    Sent(
        "/unison/event/xrun",
        "s direction, i total, f stream_time_s",
        "To who wants `xrun`: sound came too late for the device (output), was lost as it came in (input), or was not "
        "made in time (stream).",
    ),
    Sent("/unison/event/log", "i level, s text", "To who wants `log`: a line, and its level in Python."),
)


def tags(fields: str) -> str:
    """Type tags of fields: `si` for `s name, i count`."""
    return "".join(field.split()[0] for field in fields.split(", ") if field not in ("", "..."))


def expected_tags(address: str, reply: Reply) -> str:
    """Type tags of a message at `address` that answers the command whose own answer is `reply`."""
    fixed = next((sent.fields for sent in (*SENT, *EVENTS) if sent.address == address), "i req, ...")
    return tags(fixed) + (tags(reply.fields) if fixed.endswith("...") and reply.address == address else "")
