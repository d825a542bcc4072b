"""Beads as METIS clusters of the bond graph."""

import math
from typing import TYPE_CHECKING

import numpy as np

from cgsim.mapping.bead_mapping import Mapping, atoms_of_sites, mapping_from_index

if TYPE_CHECKING:
    from cgsim.io import Molecule


def map_metis(molecule: "Molecule", *, atoms_per_bead: float) -> Mapping:
    """Cluster the bond graph into beads of about `atoms_per_bead` atoms.

    Each bonded component is clustered on its own, into at least one bead. Every bead is connected
    by bonds; virtual sites go with their atom. Beads are numbered by their first atom, so along a
    chain. Deterministic.

    Parameters
    ----------
    molecule
        What to map.
    atoms_per_bead
        Mean size wanted, at least 1 (each atom a bead).

    Raises
    ------
    ValueError
        If `atoms_per_bead` is below 1 or no number.
    """
    is_number = isinstance(atoms_per_bead, int | float | np.number)
    if isinstance(atoms_per_bead, bool) or not is_number or not 1 <= atoms_per_bead < math.inf:
        raise ValueError(f"atoms_per_bead must be a number of at least 1, not {atoms_per_bead!r}")
    from cgsim.mapping.clusters import connected_clusters  # SciPy; here: see MAPPERS on imports

    cluster = connected_clusters(molecule.bond_index, molecule.n_atoms, mean_size=atoms_per_bead)
    cluster = cluster[atoms_of_sites(molecule)]
    recipe = {"method": "metis", "atoms_per_bead": atoms_per_bead}
    return mapping_from_index(molecule, cluster, recipe=recipe)
