"""Whatever METIS answers, beads are in one piece, none is empty, and there are as many as asked."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pymetis
import pytest
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

import cgsim
from cgsim.md import sample_chains, write_chain

ANSWERS: dict[str, Callable[[int, int], np.ndarray]] = {
    "in pieces": lambda n, k: np.arange(n) % k,
    "in pieces, unequal": lambda n, k: np.arange(n) ** 2 % k,
    "with empty ones": lambda n, k: np.zeros(n, dtype=int),
    "both": lambda n, k: np.arange(n) % 2,
}


@pytest.mark.parametrize("name", ANSWERS)
@pytest.mark.parametrize("atoms_per_bead", [4, 7, 10])
def test_clusters_in_pieces_are_repaired(
    name: str, atoms_per_bead: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []

    def part_graph(k: int, adjacency: Any, **options: Any) -> tuple[int, list[int]]:
        calls.append(k)
        return 0, ANSWERS[name](len(adjacency), k).tolist()

    monkeypatch.setattr(pymetis, "part_graph", part_graph)
    (chain,) = sample_chains("II", size="mini", n_chains=1, seed=0)
    molecule = cgsim.load_molecule(write_chain(chain, tmp_path))
    bead = cgsim.map_metis(molecule, atoms_per_bead=atoms_per_bead).bead_index
    assert calls == [round(molecule.n_atoms / atoms_per_bead)]
    sizes = np.bincount(bead)
    assert len(sizes) == calls[0]
    assert sizes.min() > 0
    first, second = molecule.bond_index
    inside = bead[first] == bead[second]
    bonds = coo_array(
        (np.ones(inside.sum()), (first[inside], second[inside])), shape=(len(bead), len(bead))
    )
    n_pieces, _ = connected_components(bonds, directed=False)
    assert n_pieces == len(sizes)
