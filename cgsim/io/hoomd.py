"""The GSD format (HOOMD-blue), through the package ``gsd``.

HOOMD has no units of its own: lengths are taken for nm and masses for Da (`cgsim.units` says what
that means for Lennard-Jones units), unless the JSON beside the file has a ``length_unit``.
"""

from collections.abc import Iterator
from pathlib import Path

import mdtraj
import numpy as np
from mdtraj.core.element import virtual
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from cgsim.io.errors import reader_errors
from cgsim.io.files import read_sidecar
from cgsim.io.frames import Frames, frames_of_vectors
from cgsim.io.loaded import LoadedTopology, with_elements


def read_gsd(path: Path, chunk: int) -> Iterator[Frames]:
    """Yield the frames, at most `chunk` at a time; ``time`` is the timestep."""
    unit = float(read_sidecar(path).get("length_unit", 1.0))
    with reader_errors(path):
        import gsd.hoomd

        file = gsd.hoomd.open(str(path), "r")
    with file:
        for start in range(0, len(file), chunk):
            with reader_errors(path):
                part = [file[row] for row in range(start, min(start + chunk, len(file)))]
                xyz = np.stack([frame.particles.position for frame in part]) * np.float32(unit)
                box = np.stack([frame.configuration.box for frame in part]).astype(np.float64)
                steps = np.array([frame.configuration.step for frame in part], dtype=np.float64)
            yield frames_of_vectors(
                xyz, _vectors(box) * unit, time=steps, raw=box, meaning="Lx, Ly, Lz, xy, xz, yz"
            )


def load_gsd(path: Path) -> LoadedTopology:
    """Return atoms, bonds and masses of the first frame.

    Atoms are named by their types; each bonded component is a residue and a chain.
    """
    with reader_errors(path, what="be read as a topology"):
        import gsd.hoomd

        with gsd.hoomd.open(str(path), "r") as file:
            first = file[0]
        particles, bonds = first.particles, first.bonds
        names = [particles.types[kind] for kind in particles.typeid]
        pairs = np.asarray(bonds.group if bonds.N else [], dtype=np.int64).reshape(-1, 2)
        masses = np.asarray(particles.mass, dtype=np.float64)
        return with_elements(bonded_topology(names, pairs), masses)


def bonded_topology(names: list[str], pairs: np.ndarray) -> mdtraj.Topology:
    """Return particles that are no elements, each bonded component a residue and a chain.

    Parameters
    ----------
    names
        Of the particles.
    pairs
        ``[n_bonds, 2]``.
    """
    n = len(names)
    graph = coo_array((np.ones(len(pairs)), tuple(pairs.T)), shape=(n, n))
    _, component = connected_components(graph, directed=False)
    topology = mdtraj.Topology()
    residue, before = None, -1
    for name, own in zip(names, component, strict=True):
        if residue is None or own != before:
            residue = topology.add_residue("MOL", topology.add_chain())
        topology.add_atom(name, virtual, residue)
        before = own
    atoms = list(topology.atoms)
    for i, j in pairs:
        topology.add_bond(atoms[i], atoms[j])
    return topology


def _vectors(box: np.ndarray) -> np.ndarray:
    """Rows ``(Lx, 0, 0), (xy Ly, Ly, 0), (xz Lz, yz Lz, Lz)``."""
    lx, ly, lz, xy, xz, yz = box.T
    vectors = np.zeros((len(box), 3, 3))
    vectors[:, 0, 0], vectors[:, 1, 1], vectors[:, 2, 2] = lx, ly, lz
    vectors[:, 1, 0], vectors[:, 2, 0], vectors[:, 2, 1] = xy * ly, xz * lz, yz * lz
    return vectors
