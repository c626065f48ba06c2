"""Several processes that train one network: `torchrun`, with DDP or FSDP."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard, register_fsdp_forward_method
from torch.nn.parallel import DistributedDataParallel
from torch.utils.checkpoint import checkpoint

from unison_engine.errors import BadArguments
from unison_train.config import Run
from unison_train.model.denoiser import Denoiser


@dataclass(frozen=True)
class Processes:
    """Those that train together, seen from one of them.

    Attributes:
        device: where this one computes.
        rank: its number; rank 0 writes files.
        count: how many there are.
    """

    device: torch.device
    rank: int = 0
    count: int = 1

    @property
    def first(self) -> bool:
        """Whether this is the one that writes."""
        return self.rank == 0

    def share(self, items: int) -> range:
        """Which of so many equal pieces of work are this process's.

        Raises:
            BadArguments: the processes do not divide the work.
        """
        if items % self.count:
            raise BadArguments(
                f"batches_per_step is {items}, which {self.count} processes do not divide; "
                "change it in the recipe, or start another number of processes."
            )
        return range(self.rank, items, self.count)

    def agree(self, wanted: list[bool]) -> list[bool]:
        """What the first process wants; clocks differ, and all must do the same."""
        answers = [wanted]
        if self.count > 1:
            dist.broadcast_object_list(answers, device=self.device)
        return answers[0]

    def add_up(self, values: Tensor) -> Tensor:
        """Sum of a tensor over all processes, in place."""
        if self.count > 1:
            dist.all_reduce(values)
        return values


@contextmanager
def join(run: Run, device: torch.device) -> Iterator[Processes]:
    """Meet the other processes that `torchrun` started, NCCL between GPUs and gloo between CPUs; alone without it.

    Raises:
        BadArguments: there are several processes, and the recipe does not say how they share the work.
    """
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        yield Processes(device)
        return
    if run.parallel == "none":
        raise BadArguments(f'parallel is "none", but there are {count} processes; set it to "ddp" or "fsdp".')
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    yield Processes(device, dist.get_rank(), count)
    # Not in a `finally`: behind a failed process the others would wait here, where torchrun can end them.
    dist.destroy_process_group()


def spread(network: Denoiser, run: Run, processes: Processes) -> nn.Module:
    """The network as the recipe runs it: recomputed, compiled, shared. What is returned is called like the network.

    Parameters keep their names; with FSDP they become sharded in place, so that an optimiser comes after this.
    """
    sharded = processes.count > 1 and run.parallel == "fsdp"
    mesh = init_device_mesh(processes.device.type, (processes.count,)) if sharded else None
    for block in network.dit.blocks:
        if run.checkpoint_activations:
            block.forward = partial(checkpoint, block.forward, use_reentrant=False, preserve_rng_state=False)
        if run.compile:
            # Blocks are alike, so one compilation serves all; lengths differ from batch to batch.
            block.compile(dynamic=True)
        if sharded:
            fully_shard(block, mesh=mesh)
    if sharded:
        # Each of the three is called on its own too, for samples, and must be in pieces again after that.
        for part in (network.dit.modulation, network.dit, network.fusion):
            fully_shard(part, mesh=mesh, reshard_after_forward=True)
        register_fsdp_forward_method(network.dit, "evaluate")
    elif processes.count > 1:
        return DistributedDataParallel(network)
    return network


def gradients(network: nn.Module, last: bool) -> AbstractContextManager[None]:
    """Inside, a backward pass adds to the gradients; that of the `last` batch of a step averages over processes."""
    if isinstance(network, DistributedDataParallel) and not last:
        return network.no_sync()
    for part in network.children():
        if isinstance(part, FSDPModule):
            part.set_requires_gradient_sync(last)
    return nullcontext()
