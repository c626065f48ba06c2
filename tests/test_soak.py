"""A minute of the long session of `benchmarks/soak.py`, in which everything is real but the sound card."""

from __future__ import annotations

import shutil

import pytest


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("jackd"), reason="jackd is not installed: apt-get install jackd2")
def test_a_minute_of_everything_at_once() -> None:
    # JACK's library is there only where JACK is.
    from benchmarks.soak import run

    found = run(60.0, 256)
    assert found["failures"] == [] and set(found["states"]) == {"done"}
    assert found["ended_otherwise"] == 0 and found["ended_once"] == found["states"]["done"] > 0
    # The sound that goes round is a take as well.
    assert found["takes"] == found["ended_once"] + 1
    assert found["worker_starts"] == 1 and found["host_exit"] == 0
    assert found["niceness"]["worker"] > found["niceness"]["host"]
    assert found["underruns"]["ours"] <= found["underruns"]["bare"]
