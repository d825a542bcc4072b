"""Small molecules and trajectories for the tests of io and mapping."""

import warnings
from collections.abc import Sequence
from pathlib import Path

import mdtraj
import numpy as np
from mdtraj.core.element import virtual

from cgsim.io import Molecule, molecule_from_topology


def bead_topology_of(
    bonds: Sequence[tuple[int, int]], n_atoms: int, *, names: Sequence[str] = ("B1",)
) -> mdtraj.Topology:
    """Virtual atoms, each its own residue; a new chain where an atom is not bonded backwards."""
    topology = mdtraj.Topology()
    bonded_backwards = {max(bond) for bond in bonds}
    for index in range(n_atoms):
        if index not in bonded_backwards:
            chain = topology.add_chain()
        residue = topology.add_residue("POL", chain, resSeq=index + 1)
        topology.add_atom(names[index % len(names)], virtual, residue)
    atoms = list(topology.atoms)
    for i, j in bonds:
        topology.add_bond(atoms[i], atoms[j])
    return topology


def molecule_of(
    bonds: Sequence[tuple[int, int]], n_atoms: int, *, names: Sequence[str] = ("B1",)
) -> Molecule:
    """A molecule of virtual atoms of mass 1, 2, ... Da by their place in `names`."""
    masses = {name: 1.0 + number for number, name in enumerate(names)}
    return molecule_from_topology(bead_topology_of(bonds, n_atoms, names=names), masses=masses)


def chain_bonds(n_atoms: int, *, first: int = 0) -> list[tuple[int, int]]:
    """Bonds of a linear chain."""
    return [(i, i + 1) for i in range(first, first + n_atoms - 1)]


def comb_bonds(n_backbone: int, n_tooth: int = 1) -> list[tuple[int, int]]:
    """Bonds of a backbone with a side chain at each of its atoms, numbered tooth by tooth."""
    step = n_tooth + 1
    backbone = [(i * step, (i + 1) * step) for i in range(n_backbone - 1)]
    teeth = [(i * step + k, i * step + k + 1) for i in range(n_backbone) for k in range(n_tooth)]
    return backbone + teeth


def random_walk(n_frames: int, n_atoms: int, *, seed: int = 0) -> np.ndarray:
    """A chain with bonds of 0.3 nm that diffuses, [n_frames, n_atoms, 3] nm."""
    rng = np.random.default_rng(seed)
    bond = rng.normal(size=(n_frames, n_atoms, 3))
    bond *= 0.3 / np.linalg.norm(bond, axis=2, keepdims=True)
    drift = rng.normal(size=(n_frames, 1, 3), scale=0.2).cumsum(axis=0)
    shape = bond[:1] + 0.05 * bond
    return shape.cumsum(axis=1) + drift


def save(path: Path, topology: mdtraj.Topology, xyz: np.ndarray, **cell: np.ndarray) -> Path:
    """Write a trajectory through MDTraj, a frame every 2 ps."""
    time = 2.0 * np.arange(len(xyz))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the NetCDF writer recommends another package
        mdtraj.Trajectory(xyz, topology, time=time, **cell).save(str(path))
    return path


def wrapped(xyz: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Each atom on its own in the cell, ``vectors`` ``[3, 3]`` or ``[n_frames, 3, 3]``."""
    fraction = xyz @ np.linalg.inv(vectors)
    return np.asarray((fraction - np.floor(fraction)) @ vectors)


def shape_of(xyz: np.ndarray) -> np.ndarray:
    """All distances of the atoms ``[n_frames, n, n]``, whatever their place and orientation."""
    return np.asarray(np.linalg.norm(xyz[:, :, None] - xyz[:, None], axis=3))
