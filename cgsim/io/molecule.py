"""The fine graph: atoms (or fine beads), their masses and their bonds."""

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from cgsim.io.display import Facts, comma_list, shown

if TYPE_CHECKING:
    import mdtraj


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
    file_atoms
        ``[n_atoms]`` which atoms of its files the molecule is, ascending; None: all of them.
    file_topology
        All atoms of its files, where it is a part of them; the same as `topology` by default.
    """

    name: str
    atom_type: tuple[str, ...]
    atom_mass: np.ndarray
    bond_index: np.ndarray
    topology: "mdtraj.Topology"
    cell_angles: tuple[float, float, float] | None = None
    lammps_units: str | None = None
    file_atoms: np.ndarray | None = None
    file_topology: "mdtraj.Topology | None" = None

    @property
    def whole_topology(self) -> "mdtraj.Topology":
        """All atoms of its files."""
        return self.topology if self.file_topology is None else self.file_topology

    @property
    def n_file_atoms(self) -> int:
        """Number of atoms in its files."""
        return int(self.whole_topology.n_atoms)

    @property
    def n_atoms(self) -> int:
        """Number of atoms."""
        return len(self.atom_type)

    def _facts(self) -> Facts:
        kinds = comma_list(f"{kind} {n}" for kind, n in Counter(self.atom_type).items())
        residues = [residue.name for residue in self.topology.residues]
        return {
            "atoms": f"{self.n_atoms:,} ({kinds})",
            "bonds": f"{self.bond_index.shape[1]:,}",
            "residues": f"{len(residues):,} ({comma_list(residues)})",
            "chains": f"{self.topology.n_chains:,}",
            "mass": f"{self.atom_mass.sum():,.1f} Da",
            "selected": None
            if self.file_atoms is None
            else f"of {self.n_file_atoms:,} atoms of its files",
        }

    __repr__, _repr_html_ = shown(_facts)

    @property
    def component(self) -> np.ndarray:
        """``[n_atoms]`` number of the bonded component that each atom is in."""
        graph = coo_array(
            (np.ones(self.bond_index.shape[1]), tuple(self.bond_index)),
            shape=(self.n_atoms, self.n_atoms),
        )
        return np.asarray(connected_components(graph, directed=False)[1])
