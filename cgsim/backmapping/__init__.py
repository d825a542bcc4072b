"""Back to atoms: all-atom structures on the beads of any mapping.

`backmap` places pieces of reference frames on beads, joins them and, if asked to, minimises the
energy with the beads held in place; `backmap_file` does so from file to file. No network and no
training: what it needs are some frames of the same molecule with all atoms.
"""

from cgsim.backmapping.backmapper import Backmapper, Minimise, backmap
from cgsim.backmapping.energy import geometry_energy, peptide_energy
from cgsim.backmapping.files import backmap_file
from cgsim.backmapping.minimisation import Minimisation
from cgsim.backmapping.placement import Placement

__all__ = [
    "Backmapper",
    "Minimisation",
    "Minimise",
    "Placement",
    "backmap",
    "backmap_file",
    "geometry_energy",
    "peptide_energy",
]
