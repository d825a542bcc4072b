"""The table of trajectory formats: which function reads a file, one row for each format.

MDTraj's readers come first, own ones where these are wrong (cells, times, cut files) and
MDAnalysis for what neither knows. Nothing outside `cgsim.io` knows a format.
"""

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import mdtraj
import numpy as np

from cgsim.io import mdanalysis, mdtraj_formats
from cgsim.io.cif import read_cif
from cgsim.io.compressed import is_compressed, open_text, plain
from cgsim.io.dcd import read_dcd, scan_dcd
from cgsim.io.errors import reader_errors
from cgsim.io.files import file_extension, read_sidecar
from cgsim.io.frames import Frames, TruncatedError
from cgsim.io.gro import gro_times, read_gro_frame
from cgsim.io.hoomd import read_gsd
from cgsim.io.lammps import DumpReader, dump_times, has_units
from cgsim.io.mdcrd import MdcrdReader
from cgsim.io.molecule import Molecule
from cgsim.io.netcdf import is_classic, read_netcdf, scan_netcdf
from cgsim.io.pdb import read_pdb
from cgsim.io.scan import Scan
from cgsim.io.text import ReadFrame, read_text
from cgsim.io.tng import check_tng
from cgsim.io.trial import check_by_trial
from cgsim.io.trr import read_trr, scan_trr
from cgsim.io.xtc import read_xtc, scan_xtc
from cgsim.io.xyz import read_xyz_frame

Read = Callable[[Path, Molecule, int], Iterator[Frames]]


def _no_times(_: Path) -> np.ndarray | None:
    return None


@dataclass(frozen=True)
class TrajectoryFormat:
    """One row of the table.

    Parameters
    ----------
    read
        Yields the frames of a file of a molecule, so many at a time; raises
        `cgsim.io.frames.TruncatedError` after the whole ones.
    times
        Reads the times in ps of all frames, or of the first two; None where a file has none.
    counts_steps
        Whether ``time`` of its frames is a number of steps.
    unpacks
        Whether it reads compressed files as they are.
    """

    read: Read
    times: Callable[[Path], np.ndarray | None] = _no_times
    counts_steps: bool = False
    unpacks: bool = False


def format_of(path: Path) -> TrajectoryFormat:
    """Return the row of a file, by its extension or, if that is not known, by how it begins.

    Raises
    ------
    ValueError
        If the format is not known.
    """
    extension = _plain_extension(path)
    if extension == ".crd" and _begins_with(path, "*"):
        return _MDANALYSIS  # the CARD format of CHARMM; else it is one of AMBER
    if extension in _OF_AMBER and path.is_file() and _begins_with(path, "CDF"):
        return FORMATS[".nc"]  # what AMBER writes by default, whatever the name
    if extension in FORMATS:
        return FORMATS[extension]
    for start, known_as in (("ITEM:", ".lammpstrj"), ("CDF", ".nc")):
        if path.is_file() and _begins_with(path, start):
            return FORMATS[known_as]
    known = " ".join(sorted(FORMATS))
    raise ValueError(f"{path}: unknown trajectory format; known are {known} (also .gz and .bz2)")


def read_frames(path: Path, molecule: Molecule, chunk: int) -> Iterator[Frames]:
    """Yield the frames of one file, at most `chunk` at a time.

    Raises
    ------
    TruncatedError
        After the last whole frame, if the file ends inside one.
    ValueError
        Naming the file and mostly the frame, if it cannot be read.
    """
    row = format_of(path)
    if row.unpacks:
        yield from row.read(path, molecule, chunk)
        return
    with plain(path) as unpacked:
        check_by_trial(unpacked)
        yield from row.read(unpacked, molecule, chunk)


def stored_times(path: Path) -> np.ndarray | None:
    """Return the times in ps of all frames or of the first two; None where they are not known.

    Times that are all the same are not known: programs write zeros for want of better.
    """
    row = format_of(path)
    if row.unpacks:
        time = row.times(path)
    else:
        with plain(path) as unpacked:
            check_by_trial(unpacked)
            time = row.times(unpacked)
    return None if time is None or (len(time) > 1 and np.ptp(time) == 0) else time


def n_atoms_of(path: Path) -> int | None:
    """Return the number of atoms of a file whose format tells it at once and is not compressed."""
    scan = _SCANNERS.get(_plain_extension(path))
    if scan is None or is_compressed(path) or _is_netcdf4(path):
        return None
    found = _scanned(path)
    return found.n_atoms if found.n_frames else None


def n_frames_of(path: Path) -> int | None:
    """Return the number of whole frames of a file whose format tells it without reading all."""
    if _plain_extension(path) not in _SCANNERS or is_compressed(path) or _is_netcdf4(path):
        return None
    return _scanned(path).n_frames


def _plain_extension(path: Path) -> str:
    return file_extension(path).removesuffix(".gz").removesuffix(".bz2")


def _begins_with(path: Path, start: str) -> bool:
    with reader_errors(path), open_text(path) as file:
        return file.read(len(start)) == start


_NETCDF_NAMES = (".nc", ".ncdf", ".netcdf")
_RESTARTS = (".rst7", ".restrt", ".inpcrd", ".ncrst")
_OF_AMBER = (*_RESTARTS, ".rst", ".mdcrd", ".crd", ".trj")
_SCANNERS = {
    ".xtc": scan_xtc,
    ".trr": scan_trr,
    ".dcd": scan_dcd,
    **dict.fromkeys(_NETCDF_NAMES, scan_netcdf),
}


def _scanned(path: Path) -> Scan:
    """Walk through a file whose frames tell their sizes, once."""
    status = path.stat()
    return _scan_once(path.resolve(), status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=64)
def _scan_once(path: Path, _size: int, _modified: int) -> Scan:
    found = _SCANNERS.get(file_extension(path), scan_netcdf)(path)  # by content
    if found.is_cut and found.n_frames == 0:
        raise TruncatedError(path, 0)
    return found


def _scanned_times(path: Path) -> np.ndarray | None:
    return _scanned(path).time


def _read_xtc(path: Path, _: Molecule, chunk: int) -> Iterator[Frames]:
    return read_xtc(path, _scanned(path), chunk)


def _read_trr(path: Path, _: Molecule, chunk: int) -> Iterator[Frames]:
    return read_trr(path, _scanned(path), chunk)


def _read_dcd(path: Path, _: Molecule, chunk: int) -> Iterator[Frames]:
    return read_dcd(path, _scanned(path), chunk)


def _read_text_with(read_frame: ReadFrame) -> Read:
    def read(path: Path, molecule: Molecule, chunk: int) -> Iterator[Frames]:
        return read_text(path, read_frame, molecule.n_file_atoms, chunk)

    return read


def _read_mdcrd(path: Path, molecule: Molecule, chunk: int) -> Iterator[Frames]:
    angles = read_sidecar(path).get("cell_angles", molecule.cell_angles)
    return read_text(path, MdcrdReader(angles), molecule.n_file_atoms, chunk)


def _read_dump(path: Path, molecule: Molecule, chunk: int) -> Iterator[Frames]:
    style = read_sidecar(path).get("lammps_units", molecule.lammps_units)
    if style is None and not has_units(path):
        warnings.warn(
            f"{path}: lengths are taken for Å, as in LAMMPS units real and metal; for others put "
            '"lammps_units" into a JSON file of the same stem',
            stacklevel=2,
        )
    return read_text(path, DumpReader(style), molecule.n_file_atoms, chunk)


def _dump_times(path: Path) -> np.ndarray | None:
    about = read_sidecar(path)
    return dump_times(path, style=about.get("lammps_units"), timestep=about.get("timestep"))


def _with_topology(
    read: Callable[[Path, mdtraj.Topology, int], Iterator[Frames]],
) -> Read:
    return lambda path, molecule, chunk: read(path, molecule.whole_topology, chunk)


def _read_netcdf(path: Path, molecule: Molecule, chunk: int) -> Iterator[Frames]:
    if _is_netcdf4(path):
        return mdtraj_formats.read_streamed(path, molecule.whole_topology, chunk)
    return read_netcdf(path, _scanned(path), chunk)


def _netcdf_times(path: Path) -> np.ndarray | None:
    return mdtraj_formats.first_times(path) if _is_netcdf4(path) else _scanned_times(path)


def _is_netcdf4(path: Path) -> bool:
    return _plain_extension(path) in _NETCDF_NAMES and not is_classic(path)


def _read_mdanalysis(path: Path, molecule: Molecule, chunk: int) -> Iterator[Frames]:
    return mdanalysis.read_mdanalysis(path, molecule.n_file_atoms, chunk)


def _read_tng(path: Path, molecule: Molecule, chunk: int) -> Iterator[Frames]:
    check_tng(path)
    return _read_mdanalysis(path, molecule, chunk)


def _tng_times(path: Path) -> np.ndarray | None:
    check_tng(path)
    return mdanalysis.first_times(path)


_XYZ = TrajectoryFormat(_read_text_with(read_xyz_frame), unpacks=True)
_GRO = TrajectoryFormat(_read_text_with(read_gro_frame), gro_times, unpacks=True)
_MDCRD = TrajectoryFormat(_read_mdcrd, unpacks=True)
_DUMP = TrajectoryFormat(_read_dump, _dump_times, counts_steps=True, unpacks=True)
_PDB = TrajectoryFormat(_with_topology(read_pdb), unpacks=True)
_AT_ONCE = TrajectoryFormat(_with_topology(mdtraj_formats.read_at_once))
_CIF = TrajectoryFormat(lambda path, _, chunk: read_cif(path, chunk))
_STREAMED = TrajectoryFormat(_with_topology(mdtraj_formats.read_streamed))
_TIMED = TrajectoryFormat(_with_topology(mdtraj_formats.read_streamed), mdtraj_formats.first_times)
_NETCDF = TrajectoryFormat(_read_netcdf, _netcdf_times)
_MDANALYSIS = TrajectoryFormat(_read_mdanalysis)
_MDANALYSIS_TIMED = TrajectoryFormat(_read_mdanalysis, mdanalysis.first_times)

FORMATS = {
    ".xtc": TrajectoryFormat(_read_xtc, _scanned_times),
    ".trr": TrajectoryFormat(_read_trr, _scanned_times),
    ".dcd": TrajectoryFormat(_read_dcd),
    ".xyz": _XYZ,
    ".extxyz": _XYZ,
    ".gro": _GRO,
    ".mdcrd": _MDCRD,
    ".crd": _MDCRD,
    ".crdbox": _MDCRD,
    ".trj": _MDCRD,
    ".lammpstrj": _DUMP,
    ".lammpsdump": _DUMP,
    ".dump": _DUMP,
    ".pdb": _PDB,
    ".ent": _PDB,
    **dict.fromkeys(_NETCDF_NAMES, _NETCDF),
    **dict.fromkeys((".h5", ".hdf5", ".dtr", ".stk"), _TIMED),
    ".lh5": _STREAMED,
    **dict.fromkeys((*_RESTARTS, ".arc"), _AT_ONCE),
    **dict.fromkeys((".cif", ".mmcif", ".pdbx"), _CIF),
    **dict.fromkeys((".xml", ".hoomdxml"), _AT_ONCE),
    ".gsd": TrajectoryFormat(lambda path, _, chunk: read_gsd(path, chunk), counts_steps=True),
    ".tng": TrajectoryFormat(_read_tng, _tng_times),
    ".h5md": _MDANALYSIS_TIMED,
    **dict.fromkeys((".trz", ".coor", ".namdbin", ".trc", ".dms", ".txyz"), _MDANALYSIS),
    **dict.fromkeys((".mmtf", ".pqr", ".pdbqt", ".mol2", ".history", ".config"), _MDANALYSIS),
}
"""By extension, in lower case and without ``.gz`` or ``.bz2``."""
