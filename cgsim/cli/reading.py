"""What commands are told of topologies and trajectories that leave something open."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from cgsim.io import Molecule


@dataclass(frozen=True)
class Reading:
    """How a topology and its trajectories are read, where the files leave something open.

    Parameters
    ----------
    elements
        A JSON file of element symbols by atom name, for example {"CL1": "Cl"}.
    select
        Atoms to read, in the selection language of MDTraj, for example "protein" or "not water".
    bonds
        chain joins residues of one site each (C-alphas) along their chains.
    allow
        Checks to leave out, with commas: bonds, spread, jumps, repeats, interval.
    frame_interval
        Time between frames, ps; only for formats that store no times (DCD).
    """

    elements: Path | None = None
    select: str | None = None
    bonds: Literal["standard", "chain"] | None = None
    allow: str = ""
    frame_interval: float | None = None

    def molecule(self, topology: Path) -> "Molecule":
        """Read the molecule."""
        from cgsim.io import load_molecule, read_json

        return load_molecule(
            topology,
            elements=None if self.elements is None else read_json(self.elements),
            bonds=self.bonds,
            select=self.select,
            allow=self.allow,
        )
