"""`unison top`: a host that runs, as a table in the terminal that is drawn again every second."""

from __future__ import annotations

import time
from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from unison_engine.client import Client
from unison_engine.host.session import STATUS_FIELDS

_SHOWN_JOBS = 12


def watch(client: Client, seconds: float) -> None:
    """Draw until interrupted, every so many seconds."""
    with Live(screen=True, auto_refresh=False) as live:
        while True:
            live.update(drawn(client), refresh=True)
            time.sleep(seconds)


def drawn(client: Client) -> RenderableType:
    """The host as it is now: figures, jobs from the newest, and plugins that do not work.

    What it tells is drawn as it is: a path or a reason with brackets in it is no markup of rich.
    """
    names = [field.split()[1] for field in STATUS_FIELDS.split(", ")]
    values = (value if isinstance(value, (int, float)) else str(value) for value in client.call("/unison/status"))
    status = dict(zip(names, values, strict=True))
    head = Table.grid(padding=(0, 3))
    for row in _rows(status):
        head.add_row(*map(Text, row))
    jobs = Table("job", "state", "", "stage", "take or error", expand=True)
    for job, state, fraction, stage, path, code in reversed(client.entries("/unison/job/list")[-_SHOWN_JOBS:]):
        assert isinstance(fraction, float)
        jobs.add_row(*(Text(str(cell)) for cell in (job, state, _bar(fraction), stage, path or code)))
    parts: list[RenderableType] = [head, jobs]
    bad = [row for row in client.entries("/unison/plugin/list") if row[3] != "ok"]
    if bad:
        plugins = Table("plugin", "state", "reason", expand=True)
        for name, _, _, state, _, reason in bad:
            plugins.add_row(*(Text(str(cell)) for cell in (name, state, reason)))
        parts.append(plugins)
    return Group(*parts)


def _rows(status: dict[str, str | float]) -> Iterator[tuple[str, ...]]:
    yield f"model {status['model']}, {status['model_state']}", f"queued {status['queued']}", f"done {status['done']}"
    yield (
        f"{status['rate']:g} Hz, {status['out_latency_ms']:.1f} ms, underruns {status['xruns']}",
        f"running {status['running']}",
        f"failed {status['failed']}",
    )
    yield (
        f"load {100 * float(status['cpu_avg'] or 0):.0f} %, peak {100 * float(status['cpu_peak'] or 0):.0f} %",
        f"takes {status['assets']}",
        f"plugins {status['plugins_ok']} ok, {status['plugins_bad']} not",
    )


def _bar(fraction: float, width: int = 12) -> str:
    full = round(width * fraction)
    return "█" * full + "·" * (width - full)
