"""A training run small enough for tests; as a script, one that can be killed, or one process of several.

python -m tests.training_run CORPUS OUT SETTINGS, where SETTINGS is the JSON of what `recipe` takes.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, cast

import pytest
import torch

from tests.conftest import AUTOENCODER, LAYOUT, NETWORK
from unison_engine.conditioning import Line
from unison_train.autoencoder.model import Autoencoder
from unison_train.checkpoint import Checkpoint
from unison_train.config import TrainConfig
from unison_train.distributed import Processes, join
from unison_train.fit import load_bank
from unison_train.synthesis.bank import ClipBank
from unison_train.text import StateCache, TextBatch
from unison_train.trainer import Trainer
from unison_train.tuples import TupleStream

CPU = torch.device("cpu")
PATIENCE = 120  # Seconds; only a failing test waits this long.
_PR_SET_PDEATHSIG = 1


class DrawnStates:
    """Stands for a language model: states drawn from the prompt's checksum, one token for every four characters.

    Of the phones there is only the one that opens every sequence: with these states, the words are told by the prompt.
    """

    def batch(self, prompts: Sequence[str], lines: Sequence[Sequence[Line]], device: torch.device) -> TextBatch:
        lengths = [1 + len(prompt) // 4 for prompt in prompts]
        states = torch.zeros(NETWORK.depth, len(prompts), max(lengths), NETWORK.text_width)
        mask = torch.zeros(len(prompts), max(lengths) + 1)
        mask[:, -1] = 1
        for row, (prompt, length) in enumerate(zip(prompts, lengths, strict=True)):
            generator = torch.Generator().manual_seed(zlib.crc32(prompt.encode()))
            states[:, row, :length] = torch.randn(NETWORK.depth, length, NETWORK.text_width, generator=generator)
            mask[row, :length] = 1
        opening = torch.zeros(len(prompts), 1, dtype=torch.long)
        return TextBatch(states, opening, mask, torch.arange(max(lengths) + 1).expand(len(prompts), -1).float())


def recipe(**run: Any) -> TrainConfig:
    """The recipe of `nano` with three sub-tasks, small batches in float32, and what else is given for a run."""
    shipped = TrainConfig.load("nano").model_dump() | {"lora_rank": run.pop("lora_rank", 0)}
    shipped["run"] |= {"frames_per_batch": 200, "precision": "fp32", **run}
    shipped["data"] |= {"prompts_per_task": 4}
    shipped["optimiser"] |= {"warmup_steps": 5}
    shipped["tasks"] = {"tts": 0.4, "t2a_single": 0.3, "edit_add": 0.3}
    return TrainConfig.model_validate(shipped)


def corpus_bank(corpus: Path) -> ClipBank:
    """The clips of `tests.corpus.write_corpus`."""
    return load_bank([corpus / "speech.jsonl", corpus / "sound.jsonl"], LAYOUT.sample_rate, CPU)


def trainer(
    bank: ClipBank,
    out: Path,
    settings: TrainConfig,
    states: StateCache | None = None,
    processes: Processes | None = None,
) -> Trainer:
    """A trainer of the smallest network."""
    torch.manual_seed(1)
    generator = torch.Generator().manual_seed(2)
    checkpoint = Checkpoint.new(NETWORK, LAYOUT, Autoencoder(AUTOENCODER), generator)
    if settings.lora_rank:
        # Behind the zeros of an untrained network adapters would have no gradient.
        with torch.no_grad():
            for parameter in checkpoint.dit.parameters():
                parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    stream = TupleStream(bank, LAYOUT, settings, NETWORK.phones)
    held_out = TupleStream(bank, LAYOUT, settings, NETWORK.phones)
    known = states or cast(StateCache, DrawnStates())
    return Trainer(checkpoint, settings, stream, held_out, known, out, processes)


@contextmanager
def launch(
    corpus: Path, out: Path, run: dict[str, Any], processes: int = 1, environment: dict[str, str] | None = None
) -> Iterator[subprocess.Popen[str]]:
    """Start this module as a script, with `torchrun` for more than one process; what runs at the end is killed."""
    runner = ["torch.distributed.run", "--standalone", f"--nproc-per-node={processes}", "-m"] if processes > 1 else []
    command = [sys.executable, "-m", *runner, "tests.training_run", str(corpus), str(out), json.dumps(run)]
    settings = {"PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        command,
        env=os.environ | settings | (environment or {}),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def finish(process: subprocess.Popen[str]) -> None:
    """Wait until it has ended well."""
    output, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, output


def train_as_one_of_two(corpus: Path, bank: ClipBank, out: Path, run: dict[str, Any]) -> None:
    """Train in this process and another one, as if `torchrun` had started both."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    meeting = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": "2"}
    settings = recipe(**run)
    with (
        launch(corpus, out, run, environment=meeting | {"RANK": "1"}) as other,
        pytest.MonkeyPatch.context() as patch,
    ):
        for name, value in {**meeting, "RANK": "0"}.items():
            patch.setenv(name, value)
        with join(settings.run, CPU) as processes:
            trainer(bank, out, settings, processes=processes).run()
        finish(other)


def main(corpus: Path, out: Path, run: dict[str, Any]) -> None:
    """Train to the end."""
    if sys.platform == "linux":
        # `torchrun` gives each of its processes a session, so that a kill of its own group leaves them alive.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    torch.set_num_threads(1)
    settings = recipe(**run)
    with join(settings.run, CPU) as processes:
        trainer(corpus_bank(corpus), out, settings, processes=processes).run()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3]))
