"""What readers of topologies beside MDTraj's return."""

from dataclasses import dataclass

import mdtraj
import numpy as np


@dataclass(frozen=True)
class LoadedTopology:
    """Atoms with the bonds of their file, all of them or none.

    Parameters
    ----------
    topology
        Names, residues, chains and bonds.
    symbols
        ``[n_atoms]`` element symbols; ``"VS"`` of a particle that is no element, None where nothing
        is stated.
    masses
        ``[n_atoms]`` Da, None where the file has none.
    lammps_units
        Those that a LAMMPS data file or the JSON beside it says.
    frame
        One, with its cell, of formats that have positions beside names.
    """

    topology: mdtraj.Topology
    symbols: list[str | None]
    masses: np.ndarray | None
    lammps_units: str | None = None
    frame: mdtraj.Trajectory | None = None


def with_elements(topology: mdtraj.Topology, masses: np.ndarray | None) -> LoadedTopology:
    """Take the elements of a topology for what is stated."""
    return LoadedTopology(topology, [str(atom.element.symbol) for atom in topology.atoms], masses)
