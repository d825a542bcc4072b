"""Jumps: molecules that change their periodic image, and runs that were put together."""

import numpy as np

from cgsim.config.checks import way_on
from cgsim.io import Molecule
from cgsim.io.periodic import Unwrapped, means_of_parts
from cgsim.mapping.sanity.steps import Outlier, Steps

# nm. Cells have more than 1.5; ions and ligands hop by 0.4.
_SHORTEST_JUMP = 0.5
# nm, root mean square over all atoms, of turning and bending alone. A peptide of 22 atoms, the
# least that is worth simulating, moves by 0.15 in its fastest picosecond, its runs put together
# by 0.65.
_SHORTEST_BREAK = 0.3
# Share of a cell, and of steps. Steps of a molecule that an image cannot be told from are spread
# evenly: half of them are longer than 0.4 cells along some vector. At a tenth every 40th is taken
# for one in the other direction. Water in a cell of 8 nm every 100 ps: a hundredth.
_NEAR_HALF, _TOO_OFTEN, _FEWEST = 0.4, 0.1, 20


class Jumps:
    """Follows the molecules (bonded components) of a trajectory.

    Parameters
    ----------
    molecule
        What moves.
    """

    def __init__(self, molecule: Molecule) -> None:
        self.molecule = molecule
        self.component = molecule.component
        n_atoms = np.bincount(self.component)
        mass = np.bincount(self.component, weights=molecule.atom_mass).round(2)
        _, kind = np.unique(np.stack([n_atoms, mass]), axis=1, return_inverse=True)
        self._kind = kind.reshape(-1)
        self._moves, self._turns = Steps(self._kind), Steps(np.zeros(1))
        self._last: tuple[np.ndarray, np.ndarray] | None = None
        self._n_frames = 0
        self._has_cell = False
        self._n_steps, self._n_near = (np.zeros(self._kind.max() + 1) for _ in range(2))

    def add(self, unwrapped: Unwrapped, cell: np.ndarray | None) -> None:
        """Look at the next frames, and their cells ``[n_frames, 3, 3]`` nm."""
        centre = means_of_parts(unwrapped.path, self.component)
        inner = unwrapped.path - centre[:, self.component]
        n_new = len(centre)
        if self._last is not None:
            centre = np.concatenate([self._last[0], centre])
            inner = np.concatenate([self._last[1], inner])
        self._last = centre[-1:].copy(), inner[-1:].copy()  # a view would keep all frames
        step = np.diff(centre, axis=0)
        first = self._n_frames + n_new - len(step)
        self._moves.add(np.linalg.norm(step, axis=2), first_frame=first)
        turn = np.sqrt(np.square(np.diff(inner, axis=0)).sum(axis=2).mean(axis=1))
        self._turns.add(turn[:, None], first_frame=first)
        if cell is not None and len(step):
            self._has_cell = True
            share = np.abs(np.einsum("fci,fij->fcj", step, np.linalg.inv(cell[-len(step) :])))
            near = (share.max(axis=2) > _NEAR_HALF).sum(axis=0)
            self._n_near += np.bincount(self._kind, weights=near)
            self._n_steps += len(step) * np.bincount(self._kind)
        self._n_frames += n_new

    def check(self) -> None:
        """Judge all frames.

        Raises
        ------
        ValueError
            Naming frame, molecule and how far it moved, and the likely cause.
        """
        is_often = (self._n_steps >= _FEWEST) & (self._n_near > _TOO_OFTEN * self._n_steps)
        if is_often.any():
            kind = int(np.argmax(is_often))
            share = self._n_near[kind] / self._n_steps[kind]
            raise ValueError(
                f"molecules like {self._named(int(np.argmax(self._kind == kind)))} move by about "
                f"half the periodic cell between frames (by more than {_NEAR_HALF:g} of it in "
                f"{share:.0%} of the steps), so that nothing tells which way they went: take "
                "frames at shorter intervals, or leave these molecules out; if the file is "
                f"unwrapped already, take its cells out. {way_on('jumps')}"
            )
        for broken in self._turns.outliers(shortest=_SHORTEST_BREAK):
            raise ValueError(
                f"frame {broken.frame}: all atoms move by {broken.length:.3f} nm (root mean "
                f"square, apart from the motion of whole molecules), in other steps by "
                f"{broken.usual:.3f} at most{_others(broken)}. Most likely independent runs were "
                "put together here, or frames are missing: map each run as one of its own. "
                f"{way_on('jumps')}"
            )
        for jump in self._moves.outliers(shortest=_SHORTEST_JUMP):
            raise ValueError(
                f"frame {jump.frame}: {self._named(jump.index)} moves by {jump.length:.3f} nm, in "
                f"other steps such molecules move by {jump.usual:.3f} at most{_others(jump)}. "
                f"{self._cause()}. {way_on('jumps')}"
            )

    def _cause(self) -> str:
        if self._has_cell:
            return (
                "Most likely frames are missing, or independent runs were put together here: map "
                "each as one of its own"
            )
        return (
            "Most likely it changes its periodic image, and the file tells no cell: unwrap it "
            "first (gmx trjconv -pbc nojump, cpptraj unwrap), or keep the cell; or independent "
            "runs were put together here: map each as one of its own"
        )

    def _named(self, component: int) -> str:
        """A molecule by its atoms."""
        atoms = np.flatnonzero(self.component == component)
        first = self.molecule.topology.atom(int(atoms[0]))
        if len(atoms) == 1:
            return f"{first} (atom {atoms[0]})"
        return f"the molecule of {first} (atoms {atoms[0]} to {atoms[-1]})"


def _others(outlier: Outlier) -> str:
    more = outlier.n_outliers - 1
    return f" ({more} more step{'s' * (more > 1)} like it)" if more else ""
