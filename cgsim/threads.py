"""CPU threads: small graphs run fastest on one."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

ONE_THREAD_LIMIT = 5000  # beads of a batch below which more threads cost more than they give


@contextmanager
def cpu_threads(n_beads: int) -> Iterator[None]:
    """Use one thread for a batch of few beads, as many as PyTorch was given for a large one."""
    before = torch.get_num_threads()
    if n_beads < ONE_THREAD_LIMIT:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
