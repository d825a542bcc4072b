"""Near pairs of large systems by cells, in linear time: by vesin on CPUs, in PyTorch elsewhere.

Space is cut into cells at least as wide as the cutoff; the partners of a bead are in its own and
the 26 around it (Allen & Tildesley, Computer Simulation of Liquids, 2017, section 5.3). PyTorch
does so on GPUs, where nothing then travels to the host, and where vesin is not installed.
"""

from functools import cache
from importlib.util import find_spec
from itertools import product

import numpy as np
import torch
from torch import Tensor

MOST_CELLS = 64  # along one direction; more are emptier, and no fewer pairs are looked at


def near_pairs(pos: Tensor, cutoff: float, cell: Tensor | None) -> tuple[Tensor, Tensor]:
    """All ordered pairs of beads of one system closer than the cutoff, images included.

    Parameters
    ----------
    pos : [n, 3]
        nm, float64.
    cutoff
        nm.
    cell : [3, 3] or None
        Periodic cell, rows are vectors, nm. Its heights may be below the cutoff.

    Returns
    -------
    Source and destination of every pair [2, n_pairs], and the image of the source in cell vectors
    [n_pairs, 3] (integers): ``r = x_source + image @ cell - x_destination``.
    """
    if pos.device.type == "cpu" and _has_vesin():
        return _pairs_by_vesin(pos, cutoff, cell)
    return pairs_by_cells(pos, cutoff, cell)


@cache
def _has_vesin() -> bool:
    return find_spec("vesin") is not None


def _pairs_by_vesin(pos: Tensor, cutoff: float, cell: Tensor | None) -> tuple[Tensor, Tensor]:
    from vesin import NeighborList

    box = np.zeros((3, 3)) if cell is None else cell.cpu().numpy()
    search = NeighborList(cutoff=float(cutoff), full_list=True)
    i, j, image = search.compute(pos.numpy(), box, periodic=cell is not None, quantities="ijS")
    pairs = np.stack([j, i]).astype(np.int64)
    return torch.from_numpy(pairs), torch.from_numpy(image.astype(np.int64))


def pairs_by_cells(pos: Tensor, cutoff: float, cell: Tensor | None) -> tuple[Tensor, Tensor]:
    """See `near_pairs`; on the device of the positions.

    Raises
    ------
    ValueError
        If a position is not finite.
    """
    if not bool(torch.isfinite(pos).all()):
        raise ValueError("a bead is at a position that is not finite: it has no neighbours")
    exact = pos.detach().double()
    box = _box_around(exact, cutoff) if cell is None else cell.to(exact)
    fraction = (exact - exact.min(dim=0).values if cell is None else exact) @ torch.linalg.inv(box)
    wrap = torch.zeros_like(fraction) if cell is None else -fraction.floor()
    # Those on the very edge, where rounding puts them at one, belong to the last cell.
    inside = (fraction + wrap).clamp(0, 1)
    n_cells, reach = _grid(box, cutoff, is_periodic=cell is not None)
    at = (inside * n_cells).long().minimum(n_cells - 1)
    filled = _Cells(_number(at, n_cells), int(n_cells.prod()))
    found = []
    for step in product(*(range(-int(own), int(own) + 1) for own in reach)):
        beyond = at + at.new_tensor(step)
        image = torch.div(beyond, n_cells, rounding_mode="floor")
        keep = torch.ones_like(image[:, 0], dtype=torch.bool)
        if cell is None:
            keep = (image == 0).all(dim=1)
        destination, source = filled.members(_number(beyond - image * n_cells, n_cells), keep)
        total = image[destination] + (wrap[source] - wrap[destination]).long()
        apart = exact[source] + total.double() @ box - exact[destination]
        near = apart.square().sum(dim=1) < cutoff**2
        near &= (source != destination) | (total != 0).any(dim=1)
        found.append((source[near], destination[near], total[near]))
    source, destination, image = (torch.cat(parts) for parts in zip(*found, strict=True))
    return torch.stack([source, destination]), image


def in_image_order(pairs: Tensor, image: Tensor) -> tuple[Tensor, Tensor]:
    """Pairs and their images sorted by the image, the last component first."""
    if len(image) == 0:
        return pairs, image
    span = 2 * int(image.abs().max()) + 1
    key = (image[:, 2] * span + image[:, 1]) * span + image[:, 0]
    order = torch.argsort(key, stable=True)
    return pairs[:, order], image[order]


class _Cells:
    """Which beads are in which cell.

    Parameters
    ----------
    number : [n]
        Of the cell of every bead.
    """

    def __init__(self, number: Tensor, n_cells: int) -> None:
        self.bead = torch.argsort(number, stable=True)
        self.count = torch.bincount(number, minlength=n_cells)
        self.start = self.count.cumsum(0) - self.count

    def members(self, number: Tensor, keep: Tensor) -> tuple[Tensor, Tensor]:
        """Every bead that is kept, with each bead of its cell of this number [n_members]."""
        count = torch.where(keep, self.count[number], 0)
        bead = torch.arange(len(number), device=number.device)
        asking = torch.repeat_interleave(bead, count)
        before = torch.repeat_interleave(count.cumsum(0) - count, count)
        within = torch.arange(len(asking), device=number.device) - before
        return asking, self.bead[self.start[number[asking]] + within]


def _number(at: Tensor, n_cells: Tensor) -> Tensor:
    return (at[:, 0] * n_cells[1] + at[:, 1]) * n_cells[2] + at[:, 2]


def _box_around(pos: Tensor, cutoff: float) -> Tensor:
    """A box that holds all beads [3, 3], float64."""
    extent = pos.max(dim=0).values - pos.min(dim=0).values
    return torch.diag(extent.clamp(min=cutoff))


def _grid(box: Tensor, cutoff: float, *, is_periodic: bool) -> tuple[Tensor, Tensor]:
    """Cells along every direction [3], and how many of them the cutoff reaches across [3]."""
    height = 1 / torch.linalg.inv(box).norm(dim=0)  # between opposite faces
    n_cells = (height / cutoff).floor().clamp(1, MOST_CELLS).long()
    width = height / n_cells
    reach = (cutoff / width).ceil().long()
    return n_cells, reach if is_periodic else reach.clamp(max=1)
