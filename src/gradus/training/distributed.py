"""One training in several processes, one per device: which of them this is, and what they tell each other.

`torchrun` and `accelerate launch` start the processes and tell each its rank through the environment. Every
process reads all data, holds the whole encoder and takes the same steps on a share of each batch's rows;
the first alone validates, writes files and shows progress. A process that ends before its time takes the
others with it: their next exchange fails, at once where the connection breaks, else when time runs out.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from gradus.errors import ModelError, SettingsError

STEP = timedelta(minutes=10)
"""Longest wait for another process within a step; the first may have a checkpoint to write before."""

TURN = timedelta(days=1)
"""Longest wait for the first process to do what it does alone: decode the pictures, validate."""


@dataclass(frozen=True)
class Group:
    """The processes of a training; alone by default.

    Attributes:
        rank: This process, from 0.
        size: How many there are.
        patient: The connection for what may take as long as `TURN`.
    """

    rank: int = 0
    size: int = 1
    patient: Any = None

    @property
    def first(self) -> bool:
        """Whether this process is the one that validates and writes."""
        return self.rank == 0

    def agree(self, measure: Callable[[], float]) -> float:
        """What the first process measures, in all of them; the others do not call `measure`."""
        if self.size == 1:
            return measure()
        value = torch.tensor(measure() if self.first else 0.0, dtype=torch.float64)
        with _talking():
            dist.broadcast(value, 0, group=self.patient)
        return float(value)

    @contextmanager
    def in_turn(self) -> Iterator[None]:
        """Let the first process through the block before the others, which find the files that it left.

        None goes on before all are through.
        """
        if not self.first:
            self._wait()
        yield
        if self.first:
            self._wait()
        self._wait()

    def gather(self, own: Tensor, counts: Sequence[int]) -> Tensor:
        """The rows of all processes, in the order of their ranks.

        Args:
            own: (counts[rank], …) the rows of this one, without a graph.
            counts: Rows of each.

        Returns:
            (Σ counts, …), the same in every process.
        """
        if self.size == 1:
            return own
        most = max(counts)
        # Equal shapes, and bytes for booleans, are what every backend can send.
        sent = own.new_zeros(most, *own.shape[1:])
        sent[: len(own)] = own
        sent = sent.byte() if own.dtype == torch.bool else sent
        got = [torch.empty_like(sent) for _ in counts]
        with _talking():
            dist.all_gather(got, sent)
        return torch.cat([part[:count] for part, count in zip(got, counts, strict=True)]).to(own.dtype)

    def sum_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace every gradient by its sum over the processes, in one exchange.

        A parameter that has a gradient in no process is left without one, as the optimiser then leaves it be.
        """
        if self.size == 1:
            return
        trained = [parameter for parameter in parameters if parameter.requires_grad]
        used = torch.tensor([float(p.grad is not None) for p in trained], device=trained[0].device)
        parts = [(torch.zeros_like(p) if p.grad is None else p.grad).flatten() for p in trained]
        flat = torch.cat([used, *parts])
        for parameter in trained:
            parameter.grad = None
        with _talking():
            dist.all_reduce(flat)
        counts, *sums = torch.split(flat, [len(trained), *(p.numel() for p in trained)])
        for parameter, count, total in zip(trained, counts.tolist(), sums, strict=True):
            if count:
                parameter.grad = total.view_as(parameter)

    def align(self, module: nn.Module) -> None:
        """Give every process the first one's parameters and buffers.

        The same seed makes the same ones, but for the last digits, where processors differ.
        """
        if self.size == 1:
            return
        with _talking():
            for tensor in (*module.parameters(), *module.buffers()):
                dist.broadcast(tensor.detach(), 0)

    def _wait(self) -> None:
        if self.size > 1:
            with _talking():
                dist.barrier(group=self.patient)


ALONE = Group()


def launched() -> tuple[int, int]:
    """Rank and number of processes as the launcher says; (0, 1) without one."""
    return int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))


def local_rank() -> int:
    """Number of this process among those on its machine."""
    return int(os.environ.get("LOCAL_RANK", "0"))


@contextmanager
def joined(device: torch.device) -> Iterator[Group]:
    """Yield the group that a launcher started this process in.

    Args:
        device: Where training computes; processes on CUDA exchange tensors with NCCL, on CPUs with gloo.

    Raises:
        SettingsError: The device cannot be shared out, or the environment is no launcher's.
        ModelError: The others cannot be reached.
    """
    rank, size = launched()
    if size == 1:
        yield ALONE
        return
    if device.type not in ("cpu", "cuda"):
        raise SettingsError(
            f"training.device is {device.type!r}, which one process alone can use; train without a launcher, "
            "or with --training.device cpu"
        )
    if device.type == "cuda":
        torch.cuda.set_device(device)
    try:
        with _talking():
            dist.init_process_group("cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo", timeout=STEP)
    except ValueError as error:
        raise SettingsError(
            f"the environment says WORLD_SIZE={size}, and not where the other processes are ({error}); start "
            "training with torchrun, or unset WORLD_SIZE to train in one process"
        ) from None
    try:
        # gloo, on any device: it notices at once when another process has died.
        yield Group(rank, size, dist.new_group(backend="gloo", timeout=TURN))
    finally:
        dist.destroy_process_group()


@contextmanager
def _talking() -> Iterator[None]:
    """Turn what a broken connection raises into a ModelError."""
    try:
        yield
    except RuntimeError as error:
        reason = str(error).strip().split("\n")[0]
        raise ModelError(
            "another process of this training has ended or does not answer; what it said is the cause. "
            f"Go on from the last checkpoint with --resume ({reason})"
        ) from None
