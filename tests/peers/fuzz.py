"""The long run of the fuzz: `python -m tests.peers.fuzz --packets 1000000 [--seed 1]`."""

from __future__ import annotations

import argparse
import asyncio
import collections
import random
import resource
import tempfile
import time
from pathlib import Path

from tests.packets import Bench, packet

BATCH = 1000


async def main(packets: int, seed: int) -> None:
    """Send packets in batches, with a proper request after each; the first failure ends it with its packet."""
    rng = random.Random(seed)
    answers: collections.Counter[str] = collections.Counter()
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        for sent in range(0, packets, BATCH):
            for _ in range(BATCH):
                answers.update(answer.address for answer in bench.take(packet(rng)))
            answers.update(answer.address for answer in await bench.finish())
            bench.settle()
            bench.ping()
            if sent % (100 * BATCH) == 0:
                memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
                print(f"{sent + BATCH} packets, {time.perf_counter() - started:.0f} s, {memory} MB", flush=True)
    for address, count in answers.most_common():
        print(f"{count:9} {address}")
    asked = -(-packets // BATCH)
    print(f"{packets} packets, no exception, each of {asked} proper requests between them answered")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--packets", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    asyncio.run(main(asked.packets, asked.seed))
