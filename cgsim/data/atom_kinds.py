"""Atoms that message passing cannot tell apart, so that each kind is embedded once."""

from typing import NamedTuple

import numpy as np


class AtomKinds(NamedTuple):
    """The atom graph with all atoms of one kind made one.

    After ``n_bonds`` rounds of message passing every atom has the value of its kind, as its kind
    receives from as many of each other kind as the atom does (Weisfeiler & Leman, 1968).

    Attributes
    ----------
    atom_kind : [n_atoms]
        Kind of each atom.
    first : [n_kinds]
        An atom of each kind.
    edge_index : [2, n_edges]
        Which kind each kind receives from, one edge for every bond of an atom of it; sorted by
        destination.
    """

    atom_kind: np.ndarray
    first: np.ndarray
    edge_index: np.ndarray


def atom_kinds(atom_type: np.ndarray, bonds: np.ndarray, *, n_bonds: int) -> AtomKinds:
    """Tell atoms apart by their types and bonds, up to ``n_bonds`` bonds away.

    Parameters
    ----------
    atom_type : [n_atoms]
        Integers.
    bonds : [2, n_atom_bonds]
        Each bond once.
    """
    source, destination = np.concatenate([bonds, bonds[::-1]], axis=1)
    degree = np.bincount(destination, minlength=len(atom_type))
    place = np.arange(len(destination)) - np.repeat(np.cumsum(degree) - degree, degree)
    _, first, kind = np.unique(atom_type, return_index=True, return_inverse=True)
    for _ in range(n_bonds):
        seen = np.full((len(atom_type), 1 + degree.max(initial=0)), -1)
        seen[:, 0] = kind
        order = np.lexsort((kind[source], destination))
        seen[destination[order], 1 + place] = kind[source[order]]
        _, first, kind = np.unique(seen, axis=0, return_index=True, return_inverse=True)
    is_first = np.zeros(len(atom_type), dtype=bool)
    is_first[first] = True
    into = is_first[destination]
    edges = kind[np.stack([source[into], destination[into]])]
    return AtomKinds(kind, first, edges[:, np.lexsort(edges)])
