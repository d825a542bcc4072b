"""CPU threads: small graphs run fastest on one."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import torch

ONE_THREAD_LIMIT = 5000  # beads of a batch below which more threads cost more than they give
EDGES_PER_THREAD = 1500  # of a batch in a compiled function, whose operations are larger


@contextmanager
def at_most_threads(n_threads: int) -> Iterator[None]:
    """Use so many threads, or fewer where PyTorch was given fewer."""
    before = torch.get_num_threads()
    torch.set_num_threads(min(n_threads, before))
    try:
        yield
    finally:
        torch.set_num_threads(before)


def cpu_threads(n_beads: int) -> AbstractContextManager[None]:
    """Use one thread for a batch of few beads, as many as PyTorch was given for a large one."""
    return at_most_threads(1 if n_beads < ONE_THREAD_LIMIT else torch.get_num_threads())


def compiled_threads(n_edges: int) -> AbstractContextManager[None]:
    """CPU threads that a function of a batch of so many edges is compiled for and run on."""
    return at_most_threads(max(1, n_edges // EDGES_PER_THREAD))
