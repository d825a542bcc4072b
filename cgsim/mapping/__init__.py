"""MAP: group the atoms of a molecule into beads.

A `Mapping` says in which bead each atom is and maps positions. Beads are METIS clusters of the bond
graph (`map_metis`), residues (`map_residues`), residues of proteins at their C-alpha
(`map_calpha`) or parted into backbone and side chain (`map_backbone_sidechain`), given by the user
(`map_user`) or the atoms themselves (`map_atoms`); `build_mapping` follows the recipe of a mapping
again. `bead_chirality` tells a molecule from its mirror image, `ideal_distances` how far apart its
beads would be by their bonds alone.
"""

from cgsim.mapping.bead_mapping import Mapping, map_atoms, map_residues
from cgsim.mapping.chirality import bead_chirality
from cgsim.mapping.ideal import ideal_distances
from cgsim.mapping.metis import map_metis
from cgsim.mapping.protein import map_backbone_sidechain, map_calpha
from cgsim.mapping.recipe import build_mapping, map_user
from cgsim.mapping.structure import bead_names, bead_topology, named_topology, write_bead_structure

__all__ = [
    "Mapping",
    "bead_chirality",
    "bead_names",
    "bead_topology",
    "build_mapping",
    "ideal_distances",
    "map_atoms",
    "map_backbone_sidechain",
    "map_calpha",
    "map_metis",
    "map_residues",
    "map_user",
    "named_topology",
    "write_bead_structure",
]
