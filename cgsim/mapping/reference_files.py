"""Reference structures of mapped trajectories in files: chosen, read and written."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from cgsim.config.checks import IN_TIME
from cgsim.io import Molecule, load_molecule, write_atomic_json
from cgsim.mapping import Mapping, bead_names, build_mapping
from cgsim.mapping.header import header_of
from cgsim.mapping.reference import is_folded, mean_structure, with_reference
from cgsim.mapping.store import load_mapped, map_trajectory

MEAN, NONE = "mean", "none"


def read_reference(
    file: str | Path,
    names: Sequence[tuple[str, str]],
    mapping: Mapping,
    *,
    load: Callable[[Path], Molecule] = load_molecule,
) -> np.ndarray:
    """The first structure of a file as the beads of a mapping [n_beads, 3], nm.

    It may have other atoms than the molecule that was mapped, hydrogens or none, if its beads are
    the same.

    Parameters
    ----------
    names : n_beads pairs
        Of the beads that it should have (see `cgsim.mapping.bead_names`).
    load
        Reads the molecule of the file.

    Raises
    ------
    FileNotFoundError, ValueError
        If it cannot be read or mapped, or its beads are others; names the first.
    """
    molecule = load(Path(file))
    own = build_mapping(molecule, mapping.recipe | {"rigid_motion": True})
    found = bead_names(molecule, own)
    if len(found) != len(names):
        raise ValueError(
            f"{file}: {len(found)} beads, but the trajectories have {len(names)}: a reference must "
            "be of the same molecule, complete (--select leaves out water and other chains)"
        )
    for bead, (one, other) in enumerate(zip(found, names, strict=True)):
        if one != other:
            raise ValueError(
                f"{file}: bead {bead} is {'-'.join(one)}, in the trajectories {'-'.join(other)}: a "
                "reference must be of the same molecule"
            )
    mapped = map_trajectory(str(file), molecule, own, frame_interval=1.0, allow=IN_TIME)
    return np.asarray(mapped.pos[0], dtype=np.float64)


def read_references(
    wanted: Sequence[str] | None,
    names: Sequence[tuple[str, str]],
    mapping: Mapping,
    *,
    load: Callable[[Path], Molecule] = load_molecule,
) -> dict[str, np.ndarray]:
    """The files among what is wanted (see `choose_reference`), read before anything is mapped.

    Raises
    ------
    FileNotFoundError, ValueError
        As `read_reference`, or if ``none`` is not alone.
    """
    wanted = wanted or ()
    if NONE in wanted and len(wanted) > 1:
        raise ValueError(f"--reference {NONE} stands alone, not with other references")
    files = [one for one in wanted if one not in (MEAN, NONE)]
    return {file: read_reference(file, names, mapping, load=load) for file in files}


def choose_reference(
    folders: Sequence[str | Path],
    wanted: Sequence[str] | None,
    given: dict[str, np.ndarray],
) -> np.ndarray | None:
    """The reference structures [n_references, n_beads, 3] of the runs of one molecule, nm.

    Parameters
    ----------
    folders
        Mapped trajectories.
    wanted
        ``mean`` of all frames and files, or ``none``; None is the mean where the molecule is folded
        (see `cgsim.mapping.reference.is_folded`), and nothing else.
    given
        The beads of the files [n_beads, 3], nm (see `read_references`).
    """
    runs = [load_mapped(folder) for folder in folders]
    if wanted is None:
        return mean_structure(runs)[None] if is_folded(runs) else None
    if NONE in wanted:
        return None
    return np.stack([mean_structure(runs) if one == MEAN else given[one] for one in wanted])


def write_reference(folders: Sequence[str | Path], reference: np.ndarray) -> None:
    """Store reference structures [n_references, n_beads, 3], nm, in mapped trajectories.

    Raises
    ------
    FileNotFoundError, ValueError
        If a folder is no mapped trajectory, or of other beads.
    """
    for folder in folders:
        system = with_reference(load_mapped(folder), reference)
        write_atomic_json(Path(folder) / "system.json", header_of(system))
