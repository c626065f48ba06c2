"""How the host does, in the text format of Prometheus, at /metrics of its HTTP."""

from __future__ import annotations

import time
from collections import Counter as Counts
from collections.abc import Iterator

from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from unison_engine.engine import engine_version
from unison_engine.host.context import Host
from unison_engine.host.jobs import Job
from unison_engine.host.worker import Worker

_STEP_SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
_JOB_SECONDS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0)
_LUFS = (-60.0, -40.0, -36.0, -32.0, -28.0, -24.0, -20.0, -16.0, -12.0, -8.0, 0.0)


class Metrics:
    """Counts what happens, and reads the rest when it is asked."""

    def __init__(self, host: Host, worker: Worker) -> None:
        """Watch `host` and its worker."""
        self._host = host
        self._worker = worker
        self._last_step: dict[Job, float] = {}
        self._registry = CollectorRegistry()
        self._registry.register(self)
        self._jobs = Counter("unison_jobs", "Jobs that ended.", ["task", "state"], registry=self._registry)
        self._job_seconds = Histogram(
            "unison_job_seconds", "From a job's start to its end.", buckets=_JOB_SECONDS, registry=self._registry
        )
        self._step_seconds = Histogram(
            "unison_step_seconds", "One step of the sampler.", buckets=_STEP_SECONDS, registry=self._registry
        )
        self._loudness = Histogram(
            "unison_take_loudness_lufs", "Integrated loudness of takes.", buckets=_LUFS, registry=self._registry
        )

    def changed(self, job: Job) -> None:
        """The job is in another state."""
        if not job.state.final:
            return
        self._last_step.pop(job, None)
        self._jobs.labels(job.task.name, job.state.value).inc()
        if job.started:
            self._job_seconds.observe(time.monotonic() - job.started)
        if job.take:
            self._loudness.observe(job.take.lufs)

    def advanced(self, job: Job) -> None:
        """The job went on by a step."""
        if job.stage != "sampling":
            return
        now = time.monotonic()
        if last := self._last_step.get(job):
            self._step_seconds.observe(now - last)
        self._last_step[job] = now

    async def page(self, request: web.Request) -> web.StreamResponse:
        """All of it."""
        return web.Response(body=generate_latest(self._registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    def collect(self) -> Iterator[Metric]:
        """What is read when it is asked for; called by prometheus_client."""
        host, deck = self._host, self._host.deck
        info = GaugeMetricFamily("unison_info", "Always 1.", labels=["version", "bundle", "device"])
        info.add_metric([engine_version(), host.scheduler.model, deck.device.name], 1)
        yield info
        plugins = GaugeMetricFamily("unison_plugins", "Plugins by state.", labels=["state"])
        for state, count in Counts(plugin.state for plugin in host.registry.plugins).items():
            plugins.add_metric([state], count)
        yield plugins
        failures = CounterMetricFamily("unison_plugin_failures", "Failed calls of plugins.", labels=["plugin"])
        for plugin, count in host.plugins.failures.items():
            failures.add_metric([plugin], count)
        yield failures
        gauges = {
            "unison_jobs_queued": ("Jobs that wait.", len(host.scheduler.queue.waiting)),
            "unison_jobs_running": ("Jobs at the worker.", int(host.scheduler.running is not None)),
            "unison_worker_up": ("1 while the worker runs.", int(self._worker.alive)),
            "unison_output_load": ("Share of the audio callback's time that is used.", deck.device.load),
            "unison_output_latency_seconds": ("Latency of the device.", deck.device.out_latency),
            "unison_uptime_seconds": ("Since the host began.", time.monotonic() - host.started),
        }
        for name, (told, value) in gauges.items():
            yield GaugeMetricFamily(name, told, value)
        counters = {
            "unison_worker_starts": ("How often the worker was started.", self._worker.starts),
            "unison_output_underruns": ("Times that the device was without sound.", deck.underruns),
            "unison_stream_underruns": ("Times that a sound was not made in time.", deck.stream_underruns),
            "unison_packets_malformed": ("Packets that could not be read.", host.malformed),
        }
        for name, (told, value) in counters.items():
            yield CounterMetricFamily(name, told, value)
