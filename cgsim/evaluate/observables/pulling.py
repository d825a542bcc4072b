"""Force and extension of a molecule that is pulled, and what is left of its helix.

Measured on trajectories of `cgsim md steered`, whose JSON names the spring and the two atoms
between which it pulls.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mdtraj
import numpy as np

from cgsim.io import atomic_path, iter_frames, load_molecule, read_sidecar

#: phi and psi, degrees, of a residue that counts as helical.
HELIX_PHI = (-100.0, -30.0)
HELIX_PSI = (-80.0, -5.0)
COLUMNS = ("time_ps", "distance_nm", "extension_nm", "spring_nm", "force_kj_per_mol_nm", "helix")


@dataclass(frozen=True)
class PullingCurve:
    """What `measure_pulling` finds, frame by frame; all arrays are [n_frames].

    Parameters
    ----------
    name
        Of the trajectory.
    time
        ps, of pulling.
    distance
        nm, from the fixed to the pulled atom.
    extension
        nm, the same along the axis of the spring.
    spring
        nm, extension at which the spring would be relaxed.
    force
        kJ/mol/nm, of the spring on the pulled atom: ``k (spring - extension)``.
    helix
        Share of the residues whose backbone angles are those of an alpha-helix (`HELIX_PHI`,
        `HELIX_PSI`).
    """

    name: str
    time: np.ndarray
    distance: np.ndarray
    extension: np.ndarray
    spring: np.ndarray
    force: np.ndarray
    helix: np.ndarray

    def smooth(self, window: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Mean time, extension and force in windows of this many ps, [n_windows] each.

        At least one frame in each; what is left at the end is not shown.
        """
        interval = self.time[1] - self.time[0] if len(self.time) > 1 else window
        n_together = max(1, round(window / interval))
        n_windows = len(self.time) // n_together
        time, extension, force = (
            values[: n_windows * n_together].reshape(n_windows, n_together).mean(axis=1)
            for values in (self.time, self.extension, self.force)
        )
        return time, extension, force

    def write_csv(self, path: str | Path) -> None:
        """Write all columns; the file appears only when it is complete."""
        columns = (self.time, self.distance, self.extension, self.spring, self.force, self.helix)
        with atomic_path(Path(path)) as part:
            np.savetxt(
                part,
                np.column_stack(columns),
                delimiter=",",
                header=",".join(COLUMNS),
                comments="",
                fmt="%.6g",
            )


def measure_pulling(trajectory: str | Path) -> PullingCurve:
    """Force–extension curve of one trajectory ``NAME-rREPLICA.xtc`` of `cgsim md steered`.

    ``NAME.pdb`` and ``NAME.json`` must lie beside it.

    Raises
    ------
    FileNotFoundError
        If a file is missing.
    ValueError
        If a file is damaged, or the JSON is not of steered MD.
    """
    path = Path(trajectory)
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file")
    sidecar = read_sidecar(path)
    parameters: dict[str, Any] = sidecar.get("parameters", {})
    needed = ("fixed_atom", "pulled_atom", "start", "velocity", "spring_constant")
    missing = [key for key in needed if key not in parameters]
    if missing:
        raise ValueError(f"{path}: the JSON beside it lacks {missing}: it is not of steered MD")
    fixed, pulled, start, velocity, constant = (parameters[key] for key in needed)
    molecule = load_molecule(path.with_name(f"{sidecar['name']}.pdb"))
    span, helix = [], []
    for chunk in iter_frames(path, molecule):
        span.append(chunk.xyz[:, pulled].astype(np.float64) - chunk.xyz[:, fixed])
        helix.append(helix_share(chunk))
    apart = np.concatenate(span)
    time = (1 + np.arange(len(apart))) * sidecar["frame_interval"]
    spring = start + velocity * time
    return PullingCurve(
        name=path.stem,
        time=time,
        distance=np.linalg.norm(apart, axis=1),
        extension=apart[:, 0],
        spring=spring,
        force=constant * (spring - apart[:, 0]),
        helix=np.concatenate(helix),
    )


def helix_share(trajectory: mdtraj.Trajectory) -> np.ndarray:
    """Share of the residues in the alpha-helical region, [n_frames]; NaN if none has two angles.

    Residues without both phi and psi, the ends, do not count.
    """
    phi_atoms, phi = mdtraj.compute_phi(trajectory)
    psi_atoms, psi = mdtraj.compute_psi(trajectory)
    _, of_phi, of_psi = np.intersect1d(phi_atoms[:, 2], psi_atoms[:, 1], return_indices=True)
    if not len(of_phi):
        return np.full(trajectory.n_frames, np.nan)
    phi, psi = np.degrees(phi[:, of_phi]), np.degrees(psi[:, of_psi])
    inside = (HELIX_PHI[0] < phi) & (phi < HELIX_PHI[1])
    inside &= (HELIX_PSI[0] < psi) & (psi < HELIX_PSI[1])
    return inside.mean(axis=1)
