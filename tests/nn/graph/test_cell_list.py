"""Neighbours by cells in PyTorch: brute force is the judge, in any box and in none."""

import itertools

import numpy as np
import pytest
import torch
from torch import Tensor

from cgsim.nn.graph import cell_list
from cgsim.nn.graph.cell_list import in_image_order, near_pairs, pairs_by_cells

BOXES = {
    "cubic": [[3.0, 0, 0], [0, 3.0, 0], [0, 0, 3.0]],
    "thin": [[9.0, 0, 0], [0, 0.7, 0], [0, 0, 2.4]],
    "triclinic": [[3.1, 0, 0], [1.4, 2.9, 0], [-1.3, 1.1, 2.7]],
    "left-handed, turned": [[0, 2.0, 0.3], [2.6, 0, 0], [0.4, 0.1, 3.3]],
}


def brute_force(pos: Tensor, cutoff: float, box: Tensor | None) -> set[tuple[int, ...]]:
    """Source, destination and image of every pair, from all cells that could hold a partner."""
    n_around = [0, 0, 0]
    if box is not None:
        height = 1 / torch.linalg.inv(box).norm(dim=0)
        n_around = ((cutoff + torch.cdist(pos, pos).max()) / height).ceil().long().tolist()
    ranges = (range(-most, most + 1) for most in n_around)
    image = torch.tensor(list(itertools.product(*ranges)))
    shift = torch.zeros(1, 3).to(pos) if box is None else image.to(pos) @ box
    apart = pos[None, :, None] + shift[:, None, None] - pos[None, None]
    near = apart.square().sum(dim=-1) < cutoff**2
    near &= (image != 0).any(dim=1)[:, None, None] | ~torch.eye(len(pos), dtype=torch.bool)
    which, source, destination = near.nonzero().unbind(dim=1)
    rows = torch.cat([torch.stack([source, destination], dim=1), image[which]], dim=1)
    return {tuple(row) for row in rows.tolist()}


def listed(pos: Tensor, cutoff: float, box: Tensor | None) -> list[tuple[int, ...]]:
    pairs, image = pairs_by_cells(pos, cutoff, box)
    return [(*pair, *own) for pair, own in zip(pairs.T.tolist(), image.tolist(), strict=True)]


@pytest.mark.parametrize("cutoff", [0.4, 1.0, 2.9])
@pytest.mark.parametrize("name", list(BOXES))
def test_all_images_in_a_box(name: str, cutoff: float) -> None:
    """Of beads far outside of the box, too, and where the cutoff is wider than the box."""
    random = np.random.default_rng(3)
    pos = torch.as_tensor(random.normal(size=(12, 3)) * 2.5)
    box = torch.tensor(BOXES[name], dtype=torch.float64)
    found = listed(pos, cutoff, box)
    assert len(found) == len(set(found))  # none twice
    assert set(found) == brute_force(pos, cutoff, box)


@pytest.mark.parametrize("spread", [[1.0, 1.0, 1.0], [6.0, 0.2, 0.0], [0.0, 0.0, 0.0]])
def test_all_pairs_without_a_box(spread: list[float]) -> None:
    """Beads in a plane, on a line and on one spot too."""
    random = np.random.default_rng(4)
    pos = torch.as_tensor(random.normal(size=(60, 3)) * spread + 100.0)
    found = listed(pos, 0.5, None)
    assert len(found) == len(set(found))
    assert set(found) == brute_force(pos, 0.5, None)
    assert found


def test_beads_on_the_faces_of_the_box_are_found() -> None:
    """Where rounding could put one into no cell at all."""
    box = torch.diag(torch.tensor([0.3, 0.7, 1.1], dtype=torch.float64))
    corners = torch.tensor(list(itertools.product(range(-2, 3), repeat=3)), dtype=torch.float64)
    pos = torch.cat([corners @ box, torch.full((1, 3), -1e-17, dtype=torch.float64)])
    found = listed(pos, 0.05, box)
    # All are images of one point: each has every other one at a distance of zero.
    assert len(found) == len(pos) * (len(pos) - 1)


def test_the_image_brings_the_pair_together() -> None:
    random = np.random.default_rng(5)
    box = torch.tensor(BOXES["triclinic"], dtype=torch.float64)
    pos = torch.as_tensor(random.normal(size=(40, 3)) * 9.0)
    (source, destination), image = pairs_by_cells(pos, 1.2, box)
    apart = pos[source] + image.double() @ box - pos[destination]
    assert len(source) > 20
    assert (apart.norm(dim=1) < 1.2).all()


@pytest.mark.parametrize("box", [None, BOXES["triclinic"]])
def test_it_is_the_list_of_vesin(
    box: list[list[float]] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = np.random.default_rng(6)
    pos = torch.as_tensor(random.normal(size=(80, 3)) * 3.0)
    cell = None if box is None else torch.tensor(box, dtype=torch.float64)
    one = {(*pair, *own) for pair, own in _rows(near_pairs(pos, 1.1, cell))}
    monkeypatch.setattr(cell_list, "_has_vesin", lambda: False)
    other = {(*pair, *own) for pair, own in _rows(near_pairs(pos, 1.1, cell))}
    assert one == other
    assert one


def _rows(found: tuple[Tensor, Tensor]) -> list[tuple[list[int], list[int]]]:
    pairs, image = found
    return list(zip(pairs.T.tolist(), image.tolist(), strict=True))


def test_order_of_images() -> None:
    """That of `numpy.lexsort`; pairs of one image stay in their order."""
    random = np.random.default_rng(7)
    image = torch.as_tensor(random.integers(-2, 3, size=(50, 3)))
    pairs = torch.arange(100).view(2, 50)
    found, sorted_image = in_image_order(pairs, image)
    order = np.lexsort(image.numpy().T)
    assert found.tolist() == pairs[:, order].tolist()
    assert sorted_image.tolist() == image[order].tolist()


def test_positions_that_are_no_numbers_are_refused() -> None:
    pos = torch.zeros(3, 3, dtype=torch.float64)
    pos[1, 2] = torch.nan
    with pytest.raises(ValueError, match="not finite"):
        pairs_by_cells(pos, 1.0, None)
