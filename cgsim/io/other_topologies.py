"""The table of topology formats that MDTraj does not read, or not rightly."""

import re
from collections.abc import Callable
from itertools import islice
from pathlib import Path

from cgsim.io.compressed import open_text
from cgsim.io.errors import reader_errors
from cgsim.io.files import file_extension
from cgsim.io.hoomd import load_gsd
from cgsim.io.lammps_data import load_lammps_data
from cgsim.io.loaded import LoadedTopology
from cgsim.io.mdanalysis import load_mdanalysis

Load = Callable[[Path], LoadedTopology]

_OF_MDTRAJ = (
    *(".pdb", ".pdb.gz", ".prmtop", ".parm7", ".prm7", ".psf", ".gro", ".arc", ".h5"),
    *(".hdf5", ".lh5", ".cif", ".mmcif", ".pdbx", ".xml", ".hoomdxml"),
)
_N_ATOMS = re.compile(r"\s*\d+\s+atoms\b")
_HEADER = 40  # lines of a LAMMPS data file in which the number of atoms must stand


TOPOLOGIES: dict[str, Load] = {
    ".gsd": load_gsd,
    **dict.fromkeys((".data", ".lmp", ".lammps"), load_lammps_data),
    **dict.fromkeys((".tpr", ".itp", ".dms", ".mmtf"), load_mdanalysis),
    **dict.fromkeys((".pqr", ".pdbqt", ".txyz", ".mol2"), load_mdanalysis),
}
"""By extension, in lower case."""


def loader_of(path: Path) -> Load | None:
    """Return the function that reads a topology, by extension or content; None for MDTraj."""
    extension = file_extension(path)
    if extension in TOPOLOGIES:
        return TOPOLOGIES[extension]
    if extension == ".top":
        return None if is_prmtop(path) else load_mdanalysis
    if extension not in _OF_MDTRAJ and _is_lammps_data(path):
        return load_lammps_data
    return None


def is_prmtop(path: Path) -> bool:
    """Whether a file is a topology of AMBER, whatever its name."""
    if file_extension(path) in (".prmtop", ".parm7", ".prm7"):
        return True
    with reader_errors(path), open_text(path) as file:
        return file_extension(path) == ".top" and file.read(1) == "%"


def _is_lammps_data(path: Path) -> bool:
    with reader_errors(path), open_text(path) as file:
        return any(_N_ATOMS.match(line) for line in islice(file, _HEADER))
