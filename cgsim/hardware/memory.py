"""Memory: how large a batch may be, and what running out looks like."""

import textwrap
from collections.abc import Callable
from typing import TypeVar

import torch

T = TypeVar("T")

CACHED_EDGES = 8_000  # that are convolved at once on CPUs: more leave the caches and are slower
BATCH_EDGES = 64_000  # of a batch on CPUs: what surrounds the edges is then a small part of a step
BUSY_EDGES = 1_000_000  # of a batch on GPUs: larger ones are no faster
BYTES_PER_EDGE = 128  # of every channel, in a step: 100 measured (benchmarks.speed.memory)
SHARE = 0.5  # of the free memory of a GPU that a batch may be estimated to take


def fitting_edges(device: torch.device, *, n_channels: int) -> int:
    """Edges of the largest batch that is worth stepping at once, at least 1.

    Parameters
    ----------
    device
        Where. On CPUs the number does not depend on the machine, on GPUs only if memory is short.
    n_channels
        Width of the widest convolution.
    """
    if device.type != "cuda":
        return BATCH_EDGES
    free, _ = torch.cuda.mem_get_info(device)
    return max(1, min(BUSY_EDGES, int(SHARE * free) // (BYTES_PER_EDGE * n_channels)))


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory is short, of a GPU or of this machine."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    said = str(error).lower()
    return isinstance(error, RuntimeError) and (
        "out of memory" in said or "not enough memory" in said or "can't allocate memory" in said
    )


def release_memory(device: torch.device) -> None:
    """Give back what PyTorch keeps for later of the memory of a GPU."""
    if device.type == "cuda":
        torch.cuda.empty_cache()


def until_it_fits(
    action: Callable[[], T], make_smaller: Callable[[str], None], generator: torch.Generator
) -> T:
    """Do it; each time that memory runs out, make it smaller and do it again.

    Parameters
    ----------
    make_smaller
        Is told what the error said; raises where nothing is left to be made smaller.
    generator
        Put back to where it was before every repetition.
    """
    random = generator.get_state()
    while True:
        try:
            return action()
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            said = textwrap.shorten(str(error), 160)
        generator.set_state(random)
        make_smaller(said)
