"""What must hold of a trajectory of atoms before anything is made of it.

Bonds, spread and repeated frames are judged frame by frame; jumps and the frame interval by what is
usual in the trajectory, when it has ended. See the modules for the thresholds and where they come
from, `cgsim.config.checks` for the names by which a user lets something pass.
"""

from pathlib import Path

import mdtraj

from cgsim.config.checks import Allowed, allowed
from cgsim.io import Molecule, trajectory_files
from cgsim.io.bond_lengths import BondLengths
from cgsim.io.periodic import Unwrapped
from cgsim.io.reading import Files
from cgsim.mapping import Mapping
from cgsim.mapping.sanity.jumps import Jumps
from cgsim.mapping.sanity.overlap import Overlap
from cgsim.mapping.sanity.repeats import Repeats
from cgsim.mapping.sanity.speed import Speed
from cgsim.mapping.sanity.spread import SiteBonds, Spread


class SaneFrames:
    """Passes the frames of one trajectory, chunk by chunk, or says what cannot be.

    Parameters
    ----------
    files, molecule
        The trajectory, and what is in it.
    mapping
        Of the atoms to beads, where there is one.
    frame_interval
        ps.
    allow
        Checks that are left out.

    Raises
    ------
    ValueError
        If there is no check of such a name.
    """

    def __init__(
        self,
        files: Files,
        molecule: Molecule,
        mapping: Mapping | None,
        *,
        frame_interval: float,
        allow: Allowed = (),
    ) -> None:
        self.files: list[Path] = trajectory_files(files)
        self.molecule = molecule
        left_out = allowed(allow)
        self._frame_checks = [
            check.check
            for name, check in (
                ("spread", Spread(molecule, mapping)),
                ("bonds", BondLengths(molecule)),
                ("bonds", SiteBonds(molecule)),
            )
            if name not in left_out
        ]
        self._overlap = None if "spread" in left_out else Overlap(molecule)
        self._repeats = None if "repeats" in left_out else Repeats()
        self._jumps = None if "jumps" in left_out else Jumps(molecule)
        self._speed = None if "interval" in left_out else Speed(molecule, frame_interval)
        self._n_frames = 0

    def add(self, frames: mdtraj.Trajectory, unwrapped: Unwrapped) -> None:
        """Look at the next frames, as they are in the file and whole.

        Raises
        ------
        ValueError
            Naming file, frame, atoms, value and the likely cause.
        """
        try:
            for check in self._frame_checks:
                check(unwrapped.images, first_frame=self._n_frames)
            if self._overlap is not None:
                self._overlap.check(unwrapped.images, frames.unitcell_vectors)
            if self._repeats is not None:
                self._repeats.add(frames.xyz)
        except ValueError as error:
            raise self._named(error) from error
        if self._jumps is not None:
            self._jumps.add(unwrapped, frames.unitcell_vectors)
        if self._speed is not None:
            self._speed.add(unwrapped.path)
        self._n_frames += frames.n_frames

    def end(self) -> None:
        """Judge what only the whole trajectory tells.

        Raises
        ------
        ValueError
            As `add`.
        """
        try:
            for check in (self._jumps, self._speed, self._repeats):
                if check is not None:
                    check.check()
        except ValueError as error:
            raise self._named(error) from error

    def _named(self, error: ValueError) -> ValueError:
        return ValueError(f"{', '.join(str(path) for path in self.files)}: {error}")
