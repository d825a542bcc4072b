"""The fine graph: atoms (or fine beads), their masses and their bonds."""

from dataclasses import dataclass

import mdtraj
import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components


@dataclass(frozen=True)
class Molecule:
    """Atoms and bonds of the simulated molecule, or of several (bonded components) at once.

    Parameters
    ----------
    name
        What the molecule is called in tables and file names.
    atom_type
        ``[n_atoms]`` element symbol of a real element, else the atom's name, e.g. ``"B1"``.
    atom_mass
        ``[n_atoms]`` float64, Da; 0 of virtual sites (TIP4P's M), of nothing else.
    bond_index
        ``[2, n_bonds]`` int64, each bond once with ``i < j``, sorted.
    topology
        The MDTraj topology, for names, residues and chains.
    cell_angles
        Degrees; of the periodic cell that the topology file tells, for trajectories that store
        lengths of cells alone (AMBER mdcrd).
    lammps_units
        Units that a LAMMPS data file says it has, for dump files that do not say theirs.
    """

    name: str
    atom_type: tuple[str, ...]
    atom_mass: np.ndarray
    bond_index: np.ndarray
    topology: mdtraj.Topology
    cell_angles: tuple[float, float, float] | None = None
    lammps_units: str | None = None

    @property
    def n_atoms(self) -> int:
        """Number of atoms."""
        return len(self.atom_type)

    @property
    def component(self) -> np.ndarray:
        """``[n_atoms]`` number of the bonded component that each atom is in."""
        graph = coo_array(
            (np.ones(self.bond_index.shape[1]), tuple(self.bond_index)),
            shape=(self.n_atoms, self.n_atoms),
        )
        return np.asarray(connected_components(graph, directed=False)[1])
