"""The PSF format (CHARMM / X-PLOR): a topology with masses and bonds, which VMD and MDTraj open."""

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np

from cgsim.io.files import write_atomic_text

VIRTUAL_TYPE = "VS"
"""The atom type given to beads, so that they are not taken for the element of nearest mass."""

# Number, segment, residue, its name, name, type, charge, mass, whether it moves; CHEQ has two more.
_WITHOUT_SEGMENT = (8, 10)
_MAX_NARROW_ATOMS = 9999  # residue numbers have four columns in the narrow layout


def read_psf_atoms(path: Path) -> tuple[np.ndarray, list[str]]:
    """Read the masses ``[n_atoms]`` in Da and the atom types of a PSF file.

    Raises
    ------
    ValueError
        If the file has no complete ``!NATOM`` section.
    """
    masses, types = [], []
    n_words = 0
    try:
        with open(path, encoding="latin-1") as file:
            n_atoms = next(int(line.split()[0]) for line in file if "!NATOM" in line)
            for line in islice(file, n_atoms):
                words = line.split()
                n_words = n_words or len(words)
                if len(words) != n_words:  # a word more would make a charge the mass
                    raise ValueError(f"{len(words)} words in the line of an atom, not {n_words}")
                at = _after_segment(words)
                types.append(words[at + 3])
                masses.append(float(words[at + 5]))
    except (StopIteration, ValueError, IndexError) as error:
        raise ValueError(
            f"{path}: no complete !NATOM section in this PSF file (at atom {len(masses)}: {error})"
        ) from error
    if len(masses) != n_atoms:
        raise ValueError(f"{path}: !NATOM says {n_atoms} atoms, but {len(masses)} follow")
    return np.array(masses), types


def check_psf_residues(path: Path, names: Sequence[str]) -> None:
    """Compare residue names that were read by columns with the words of a PSF file.

    Raises
    ------
    ValueError
        Naming the first atom of which they differ: a line is damaged.
    """
    with open(path, encoding="latin-1") as file:
        next(line for line in file if "!NATOM" in line)
        for atom, (line, name) in enumerate(zip(file, names, strict=False)):
            words = line.split()
            at = _after_segment(words)
            if words[at + 1 : at + 2] != [name]:
                raise ValueError(
                    f"the line of atom {atom} is damaged: residue {name!r} by its columns, "
                    f"{' '.join(words[at + 1 : at + 2])!r} by its words"
                )


def _after_segment(words: Sequence[str]) -> int:
    """Place of the residue's number in the line of an atom: a segment may have no name."""
    return 1 if len(words) in _WITHOUT_SEGMENT else 2


def write_psf(
    path: str | Path,
    *,
    names: Sequence[tuple[str, str, str]],
    masses: np.ndarray,
    bond_index: np.ndarray,
) -> None:
    """Write a PSF file of beads without charge, each its own residue, atomically.

    Parameters
    ----------
    path
        The file; replaced if there.
    names
        For each bead its segment, residue and atom name (1-4 characters each, no blanks).
    masses
        ``[n_beads]`` in Da.
    bond_index
        ``[2, n_bonds]`` from zero.
    """
    n_atoms = len(masses)
    wide = n_atoms > _MAX_NARROW_ATOMS
    width, number, kind = (8, 10, 6) if wide else (4, 8, 4)
    lines = ["PSF EXT XPLOR" if wide else "PSF", "", f"{1:{number}d} !NTITLE"]
    lines += [f" REMARKS {n_atoms} beads, masses in Da", ""]
    lines.append(f"{n_atoms:{number}d} !NATOM")
    for serial, ((segment, residue, name), mass) in enumerate(zip(names, masses, strict=True), 1):
        lines.append(
            f"{serial:{number}d} {segment:<{width}s} {serial:<{width}d} {residue:<{width}s} "
            f"{name:<{width}s} {VIRTUAL_TYPE:<{kind}s} {0.0:10.6f}     {_fixed(mass, 9)}  {0:10d}"
        )
    lines += ["", f"{bond_index.shape[1]:{number}d} !NBOND: bonds"]
    lines += _rows(bond_index.T.reshape(-1) + 1, width=number)
    for section in ("NTHETA: angles", "NPHI: dihedrals", "NIMPHI: impropers"):
        lines += ["", f"{0:{number}d} !{section}"]
    for section in ("NDON: donors", "NACC: acceptors", "NNB"):
        lines += ["", f"{0:{number}d} !{section}"]
    write_atomic_text(path, "\n".join([*lines, "", ""]))


def _rows(integers: np.ndarray, *, width: int) -> Iterator[str]:
    """Eight integers (four bonds) a line."""
    for start in range(0, len(integers), 8):
        yield "".join(f"{value:{width}d}" for value in integers[start : start + 8])


def _fixed(value: float, width: int) -> str:
    """Format `value` in `width` columns with as many decimals, up to four, as there is room for."""
    decimals = max(0, min(4, width - 1 - len(f"{value:.0f}")))
    return f"{value:{width}.{decimals}f}"
