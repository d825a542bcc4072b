"""MAP: group the atoms of a molecule into beads.

A `Mapping` says in which bead each atom is and maps positions. Beads are METIS clusters of the bond
graph (`map_metis`), residues (`map_residues`), residues of proteins at their C-alpha
(`map_calpha`) or parted into backbone and side chain (`map_backbone_sidechain`), given by the user
(`map_user`) or the atoms themselves (`map_atoms`). `MAPPERS` is the table of them, to which you add
your own; `build_mapping` follows the recipe of a mapping again. `bead_chirality` tells a molecule
from its mirror image, `ideal_distances` how far apart its beads would be by their bonds alone.

All names are imported on first use: the help of ``cgsim map`` reads `MAPPERS` and needs no MDTraj.
"""

from typing import TYPE_CHECKING

from cgsim import on_first_use

if TYPE_CHECKING:
    from cgsim.mapping.assignment import map_user
    from cgsim.mapping.bead_mapping import Mapping, map_atoms, map_residues
    from cgsim.mapping.chirality import bead_chirality
    from cgsim.mapping.ideal import ideal_distances
    from cgsim.mapping.metis import map_metis
    from cgsim.mapping.protein import map_backbone_sidechain, map_calpha
    from cgsim.mapping.recipe import MAPPERS, add_mapper, build_mapping
    from cgsim.mapping.structure import (
        bead_names,
        bead_topology,
        named_topology,
        write_bead_structure,
    )

_HOME = {
    "MAPPERS": "recipe",
    "Mapping": "bead_mapping",
    "add_mapper": "recipe",
    "bead_chirality": "chirality",
    "bead_names": "structure",
    "bead_topology": "structure",
    "build_mapping": "recipe",
    "ideal_distances": "ideal",
    "map_atoms": "bead_mapping",
    "map_backbone_sidechain": "protein",
    "map_calpha": "protein",
    "map_metis": "metis",
    "map_residues": "bead_mapping",
    "map_user": "assignment",
    "named_topology": "structure",
    "write_bead_structure": "structure",
}

__all__ = [
    "MAPPERS",
    "Mapping",
    "add_mapper",
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

__getattr__, __dir__ = on_first_use(__name__, _HOME)
