"""A peptide: its atoms, where they are and what it is called."""

from dataclasses import dataclass, field

import mdtraj
import numpy as np
from openmm import app


@dataclass(frozen=True)
class Peptide:
    """One peptide chain with all its hydrogens.

    Attributes
    ----------
    name : str
        Unique among the peptides of one directory; the stem of its files.
    topology : openmm.app.Topology
        Atoms, residues and bonds.
    xyz : ndarray, shape [n_atoms, 3], nm
        Where every replica starts, before minimisation.
    source : str
        ``"sequence"`` or the name of the PDB file.
    """

    name: str
    topology: app.Topology = field(repr=False, compare=False)
    xyz: np.ndarray = field(repr=False, compare=False)
    source: str

    @property
    def n_atoms(self) -> int:
        """Number of atoms, hydrogens included."""
        return int(self.topology.getNumAtoms())

    @property
    def residues(self) -> tuple[str, ...]:
        """Three-letter names, caps included."""
        return tuple(residue.name for residue in self.topology.residues())

    def to_mdtraj(self) -> mdtraj.Trajectory:
        """Starting structure with its bonds."""
        return mdtraj.Trajectory(self.xyz, mdtraj.Topology.from_openmm(self.topology))
