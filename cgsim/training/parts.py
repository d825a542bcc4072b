"""Parts of a batch of windows."""

from itertools import pairwise

import torch
from torch import Tensor

from cgsim.data.augmentation import count_graphs
from cgsim.data.graphs import CGData

Losses = dict[str, Tensor]

_OF_EDGES = ("edge_index", "edge_hop", "edge_reach")
_OF_ATOMS = ("atom_type", "atom_edge_index", "atom_kind", "bead_index")  # all windows share them


def windows_in_parts(batch: CGData, n_parts: int) -> list[CGData]:
    """Cut a batch of windows into so many parts, of sizes as equal as can be.

    They share the atom graphs of the batch. Of fewer windows than parts, each is one.
    """
    n_windows = count_graphs(batch)
    bounds = torch.linspace(0, n_windows, min(n_parts, n_windows) + 1).round().long().tolist()
    return [windows_between(batch, first, last) for first, last in pairwise(bounds)]


def windows_between(batch: CGData, first: int, last: int) -> CGData:
    """Some windows of a batch, from the first to the one before the last."""
    bounds = torch.tensor([first, last], device=batch.pos.device)
    start, stop = torch.searchsorted(batch.batch, bounds).tolist()
    destination = batch.edge_index[1]
    edges = ((destination >= start) & (destination < stop)).nonzero()[:, 0]
    part = CGData(num_nodes=stop - start)
    for name, value in batch.to_dict().items():
        if name in _OF_ATOMS:
            part[name] = value
        elif name in _OF_EDGES:
            part[name] = value[:, edges] if name == "edge_index" else value[edges]
        elif name == "cell":
            part[name] = value[first:last]
        elif isinstance(value, Tensor):
            part[name] = value[start:stop]
    part.edge_index, part.batch = part.edge_index - start, part.batch - first
    return part
