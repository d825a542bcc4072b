"""MAP: group the atoms of a molecule into beads.

A `Mapping` says in which bead each atom is and maps positions to centres of mass. Beads are METIS
clusters of the bond graph (`map_metis`), residues (`map_residues`), given by the user (`map_user`)
or the atoms themselves (`map_atoms`); `build_mapping` follows the recipe of a mapping again.
"""

from cgsim.mapping.bead_mapping import Mapping, map_atoms, map_residues
from cgsim.mapping.metis import map_metis
from cgsim.mapping.recipe import build_mapping, map_user
from cgsim.mapping.structure import bead_names, bead_topology, named_topology, write_bead_structure

__all__ = [
    "Mapping",
    "bead_names",
    "bead_topology",
    "build_mapping",
    "map_atoms",
    "map_metis",
    "map_residues",
    "map_user",
    "named_topology",
    "write_bead_structure",
]
