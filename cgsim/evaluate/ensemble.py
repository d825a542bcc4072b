"""What the evaluation judges: bead trajectories of one molecule, with masses and bonds."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import numpy as np

from cgsim.config.checks import Allowed
from cgsim.evaluate.origin import Origin, Stop
from cgsim.io import (
    Molecule,
    Unwrapper,
    common_frame_interval,
    iter_frames,
    load_molecule,
)
from cgsim.io.display import Facts, frames, shown
from cgsim.io.frames import NotFiniteError
from cgsim.mapping import Mapping
from cgsim.mapping.sanity import SaneFrames


class BeadMapping(Protocol):
    """What `Ensemble.from_files` needs of a `cgsim.mapping.Mapping`."""

    @property
    def bead_mass(self) -> np.ndarray:
        """[n_beads], Da."""

    @property
    def edge_index(self) -> np.ndarray:
        """[2, n_bonds]."""

    def __call__(self, xyz: np.ndarray) -> np.ndarray:
        """Bead positions [n_frames, n_beads, 3] from atom positions."""


@dataclass(frozen=True)
class Ensemble:
    """Bead trajectories of one molecule: independent replicas with the same frame interval.

    Parameters
    ----------
    name
        Name of the molecule; `compare` pairs ensembles by it.
    xyz
        One array [n_frames, n_beads, 3] per replica, nm, unwrapped.
    frame_interval
        Time between frames, ps.
    bead_mass
        [n_beads], Da.
    edge_index
        [2, n_bonds], each bond once.
    origin
        What is known of where it comes from.
    cells
        One array [n_frames, 3, 3] per replica, rows are cell vectors, nm; None without cells.
    drift
        One array [n_frames, n_beads, 3] per replica: how far `xyz` is from an image in the cell of
        its frame, nm; None where the cells are constant.
    native
        [n_beads, 3], nm, unwrapped: the structure that native contacts, RMSD and RMSF are measured
        against; None: the mean of the reference, where it keeps a fold.

    Raises
    ------
    ValueError
        If shapes disagree, positions are not finite, or masses or the interval are not positive.
    """

    name: str
    xyz: tuple[np.ndarray, ...]
    frame_interval: float
    bead_mass: np.ndarray
    edge_index: np.ndarray
    origin: Origin = field(default_factory=Origin, kw_only=True)
    cells: tuple[np.ndarray, ...] | None = field(default=None, kw_only=True)
    drift: tuple[np.ndarray, ...] | None = field(default=None, kw_only=True)
    native: np.ndarray | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        object.__setattr__(self, "xyz", tuple(np.asarray(x) for x in self.xyz))
        object.__setattr__(self, "bead_mass", np.asarray(self.bead_mass, dtype=np.float64))
        object.__setattr__(self, "edge_index", np.asarray(self.edge_index, dtype=np.int64))
        self._check_graph()
        for replica, xyz in enumerate(self.xyz):
            self._check_replica(replica, xyz)
        for name, shape in (("cells", (3, 3)), ("drift", (self.n_beads, 3))):
            self._check_beside(name, shape)
        if self.native is not None and np.shape(self.native) != (self.n_beads, 3):
            raise ValueError(
                f"{self.name}: native must be [{self.n_beads}, 3], got {np.shape(self.native)}"
            )

    def _check_beside(self, name: str, shape: tuple[int, ...]) -> None:
        arrays = getattr(self, name)
        if arrays is None:
            return
        found = [np.shape(own) for own in arrays]
        if found != [(len(xyz), *shape) for xyz in self.xyz]:
            raise ValueError(
                f"{self.name}: {name} must have one array [n_frames, {shape[0]}, 3] per replica, "
                f"as many frames as xyz, got {found}"
            )

    def _check_graph(self) -> None:
        if not self.xyz:
            raise ValueError(f"{self.name}: an ensemble needs at least one replica")
        if not (np.isfinite(self.frame_interval) and self.frame_interval > 0):
            raise ValueError(
                f"{self.name}: frame_interval must be positive (ps), got {self.frame_interval}"
            )
        if self.bead_mass.ndim != 1 or not (self.bead_mass > 0).all():
            raise ValueError(f"{self.name}: bead_mass must be [n_beads] and positive (Da)")
        edges = self.edge_index
        if edges.ndim != 2 or edges.shape[0] != 2:
            raise ValueError(f"{self.name}: edge_index must be [2, n_bonds], got {edges.shape}")
        if edges.size and not (edges.min() >= 0 and edges.max() < self.n_beads):
            raise ValueError(f"{self.name}: edge_index names a bead outside 0..{self.n_beads - 1}")

    def _check_replica(self, replica: int, xyz: np.ndarray) -> None:
        if xyz.ndim != 3 or xyz.shape[1:] != (self.n_beads, 3) or len(xyz) == 0:
            raise ValueError(
                f"{self.name}: replica {replica} must be [n_frames, {self.n_beads}, 3] with at "
                f"least one frame, got {xyz.shape}"
            )
        finite = np.isfinite(xyz).all(axis=(1, 2))
        if not finite.all():
            raise ValueError(
                f"{self.name}: replica {replica} is not finite from frame {int(finite.argmin())} "
                "on; cut the trajectory there"
            )

    @property
    def n_beads(self) -> int:
        """Beads of the molecule."""
        return len(self.bead_mass)

    @property
    def n_replicas(self) -> int:
        """Independent trajectories."""
        return len(self.xyz)

    @property
    def n_frames(self) -> int:
        """Frames of all replicas together."""
        return sum(len(xyz) for xyz in self.xyz)

    @property
    def duration(self) -> float:
        """Simulated time of all replicas together, ps."""
        return self.n_frames * self.frame_interval

    @classmethod
    def from_files(
        cls,
        files: Sequence[str | Path],
        structure: str | Path,
        *,
        mapping: BeadMapping | None = None,
        frame_interval: float | None = None,
        allow: Allowed = (),
        name: str | None = None,
    ) -> "Ensemble":
        """Read the replicas of one molecule, one file each.

        A replica ends before its first frame that is not finite, which `Origin.stops` then tells.

        Parameters
        ----------
        files
            Trajectories in any known format; each is one replica.
        structure
            Topology of what the files hold: atoms if `mapping` is given, else beads.
        mapping
            Centre-of-mass mapping from atoms to beads, applied chunk by chunk.
        frame_interval
            ps; by default read from the files.
        allow
            Checks of atoms that are left out (see `cgsim.config.checks.CHECKS`). Beads, which a
            roll-out may have torn apart, are judged and not refused: without `mapping` there are
            no checks.
        name
            By default the name of the structure.

        Raises
        ------
        FileNotFoundError, ValueError
            If a file is missing or damaged, the frame interval unknown or not the same in all, or
            atoms are where they cannot be (see `cgsim.mapping.sanity`).
        """
        interval = common_frame_interval(list(files), frame_interval=frame_interval)
        molecule = load_molecule(structure, name=name)
        read = [
            (_read_atoms(file, molecule, mapping, frame_interval=interval, allow=allow), True)
            if mapping is not None
            else _read_beads(file, molecule, interval)
            for file in files
        ]
        stops = tuple(
            Stop(replica, len(own) + 1, f"recorded frame {len(own) + 1} is not finite")
            for replica, (own, is_whole) in enumerate(read)
            if not is_whole
        )
        kept = [own for own, _ in read if len(own)]
        if not kept:
            raise ValueError(
                f"{files[0]}: no frame of any replica is finite: there is nothing to judge"
            )
        return cls(
            name=molecule.name,
            xyz=tuple(own.xyz for own in kept),
            frame_interval=interval,
            bead_mass=molecule.atom_mass if mapping is None else mapping.bead_mass,
            edge_index=molecule.bond_index if mapping is None else mapping.edge_index,
            origin=Origin(stops=stops),
            cells=of_all([own.cells for own in kept]),
            drift=of_all([own.drift for own in kept]),
        )

    def part(self, pieces: Sequence[tuple[int, slice]]) -> "Ensemble":
        """Some frames of some replicas, each piece as a replica of its own."""

        def cut(arrays: tuple[np.ndarray, ...] | None) -> tuple[np.ndarray, ...] | None:
            return None if arrays is None else tuple(arrays[r][rows] for r, rows in pieces)

        xyz = tuple(self.xyz[replica][rows] for replica, rows in pieces)
        return replace(self, xyz=xyz, cells=cut(self.cells), drift=cut(self.drift))

    def _facts(self) -> Facts:
        return {
            "beads": f"{self.n_beads:,}, {self.edge_index.shape[1]:,} bonds",
            "mass": f"{self.bead_mass.sum():,.1f} Da",
            "replicas": f"{self.n_replicas:,}",
            "frames": frames(self.n_frames, self.frame_interval),
        }

    __repr__, _repr_html_ = shown(_facts)


@dataclass(frozen=True)
class _Read:
    """Frames of one replica as they are read, of beads."""

    xyz: np.ndarray
    cells: np.ndarray | None
    drift: np.ndarray | None

    def __len__(self) -> int:
        return len(self.xyz)


def of_all(arrays: Sequence[np.ndarray | None]) -> tuple[np.ndarray, ...] | None:
    """One array per replica, if all of them have one."""
    known = tuple(own for own in arrays if own is not None)
    return known if arrays and len(known) == len(arrays) else None


def _read_beads(file: str | Path, molecule: Molecule, interval: float) -> tuple[_Read, bool]:
    """The frames up to the first that is not finite, and whether these are all."""
    try:
        return _joined(list(_chunks(file, molecule, interval))), True
    except NotFiniteError:
        kept: list[_Read] = []
        with suppress(NotFiniteError):  # frame by frame, to keep all that come before it
            kept.extend(_chunks(file, molecule, interval, n_frames=1))
        return _joined(kept), False


def _joined(parts: Sequence[_Read]) -> _Read:
    if not parts:
        return _Read(np.empty((0, 0, 3)), None, None)
    cells, drift = (of_all([getattr(own, name) for own in parts]) for name in ("cells", "drift"))
    return _Read(
        np.concatenate([own.xyz for own in parts]),
        None if cells is None else np.concatenate(cells),
        np.concatenate(drift) if drift is not None and any(own.any() for own in drift) else None,
    )


def _chunks(
    file: str | Path, molecule: Molecule, interval: float, *, n_frames: int = 500
) -> Iterator[_Read]:
    unwrapper = Unwrapper(molecule)
    for trajectory in iter_frames(file, molecule, chunk=n_frames, frame_interval=interval):
        found, cells = unwrapper.follow(trajectory), trajectory.unitcell_vectors
        drift = None if cells is None else found.drift[:, found.component].astype(np.float32)
        yield _Read(found.path.astype(np.float32), cells, drift)


def _read_atoms(
    file: str | Path,
    molecule: Molecule,
    mapping: BeadMapping,
    *,
    frame_interval: float,
    allow: Allowed,
) -> _Read:
    known = mapping if isinstance(mapping, Mapping) else None
    sane = SaneFrames(file, molecule, known, frame_interval=frame_interval, allow=allow)
    unwrapper, chunks = Unwrapper(molecule), []
    for trajectory in iter_frames(file, molecule, frame_interval=frame_interval):
        found, cells = unwrapper.follow(trajectory), trajectory.unitcell_vectors
        sane.add(trajectory, found)
        drift = None
        if cells is not None:
            drift = mapping(found.drift[:, found.component]).astype(np.float32)
        chunks.append(_Read(mapping(found.path).astype(np.float32), cells, drift))
    sane.end()
    return _joined(chunks)


def first_part(ensemble: Ensemble, duration: float) -> Ensemble:
    """The first ``duration`` ps of every replica, at least two frames."""
    rows = slice(max(2, round(duration / ensemble.frame_interval)))
    return ensemble.part([(replica, rows) for replica in range(ensemble.n_replicas)])
