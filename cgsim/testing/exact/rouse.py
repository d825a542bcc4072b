"""Overdamped harmonic networks: Rouse chains, the Ornstein-Uhlenbeck particle."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from cgsim.testing.exact.system import FREE, GaussianSystem, linear_bonds


@dataclass(frozen=True)
class RouseNetwork(GaussianSystem):
    """Overdamped beads and springs, ``zeta_i dx_i = -(K x)_i dt + sqrt(2 kT zeta_i) dW_i``.

    With ``Z = diag(zeta)`` and ``Z^-1/2 K Z^-1/2 = V diag(r) V^T``, the normal modes ``Y = V^T
    Z^1/2 x`` are independent Ornstein-Uhlenbeck processes: after ``t`` they have the mean
    ``Y exp(-r t)`` and the variance ``kT (1 - exp(-2 r t)) / r``, or ``2 kT t`` if ``r = 0`` (Doi &
    Edwards, The Theory of Polymer Dynamics, 1986, ch. 4; Risken, The Fokker-Planck Equation, sec.
    3.2).

    Parameters
    ----------
    bonds
        Bonded beads, each pair once; the network is connected.
    friction
        ``zeta`` of each bead, kJ/mol ps/nm^2; beads of different friction differ in type.
    spring
        kJ/mol/nm^2.
    thermal_energy
        ``kT``, kJ/mol.
    """

    bonds: tuple[tuple[int, int], ...]
    friction: tuple[float, ...]
    spring: float = 1.0
    thermal_energy: float = 1.0

    @property
    def n_beads(self) -> int:
        """Number of beads."""
        return len(self.friction)

    @property
    def atom_type(self) -> tuple[str, ...]:
        """One type for each friction."""
        kinds = sorted(set(self.friction))
        return tuple("ABCDEFGH"[kinds.index(value)] for value in self.friction)

    @cached_property
    def _spectrum(self) -> tuple[np.ndarray, np.ndarray]:
        """Rates ``r`` [n], zero first, and ``V`` [n, n]."""
        root = np.sqrt(self.friction)
        rates, vectors = np.linalg.eigh(self.stiffness / np.outer(root, root))
        return np.where(rates > FREE * rates[-1], rates, 0.0), vectors

    @property
    def relaxation_times(self) -> np.ndarray:
        """``1 / r`` [n_beads - 1], ps, slowest first; of a chain ``zeta / 4k sin^2(p pi / 2n)``."""
        return 1 / self._spectrum[0][1:]

    def _kick(self, timestep: float) -> np.ndarray:
        """Variance of each mode after one step, [n_beads]."""
        rates, _ = self._spectrum
        bound = rates > 0
        safe = np.where(bound, rates, 1.0)
        grown = np.where(bound, -np.expm1(-2 * rates * timestep) / safe, 2 * timestep)
        return self.thermal_energy * grown

    def predict(self, history: np.ndarray, timestep: float) -> np.ndarray:
        """Mean of the next frame: the last one suffices."""
        rates, vectors = self._spectrum
        root = np.sqrt(self.friction)
        matrix = (vectors * np.exp(-rates * timestep)) @ vectors.T
        return (matrix / root[:, None] * root) @ history[..., -1, :, :]

    def covariance(self, timestep: float, *, history: int = 1) -> np.ndarray:
        """``Z^-1/2 V diag(variance) V^T Z^-1/2``, whatever the history: the process is Markov."""
        modes = self._spectrum[1] / np.sqrt(self.friction)[:, None]
        return (modes * self._kick(timestep)) @ modes.T

    def frames(self, n_frames: int, timestep: float, random: np.random.Generator) -> np.ndarray:
        """Positions [n_frames, n_beads, 3], nm."""
        rates, vectors = self._spectrum
        spread = np.where(rates > 0, self.thermal_energy / np.where(rates > 0, rates, 1.0), 0.0)
        keep, kick = np.exp(-rates * timestep)[:, None], np.sqrt(self._kick(timestep))[:, None]
        state = random.normal(size=(self.n_beads, 3)) * np.sqrt(spread)[:, None]
        states = np.empty((n_frames, self.n_beads, 3))
        for frame in range(n_frames):
            states[frame] = state
            state = keep * state + kick * random.normal(size=state.shape)
        return (vectors / np.sqrt(self.friction)[:, None]) @ states

    def modes(self, pos: np.ndarray) -> list[np.ndarray]:
        """Normal modes but the free one, the slowest first: n_beads - 1 arrays [f, 3]."""
        matrix = self._spectrum[1].T * np.sqrt(self.friction)
        return list(np.moveaxis(matrix @ pos, 1, 0))[1:]

    def mode_autocorrelation(self, times: np.ndarray) -> np.ndarray:
        """``exp(-r t)``."""
        return np.exp(-np.outer(self._spectrum[0][1:], times))


def rouse_chain(
    n_beads: int = 8, *, spring: float = 1.0, friction: float = 1.0, thermal_energy: float = 1.0
) -> RouseNetwork:
    """The Rouse chain (J. Chem. Phys. 21, 1272, 1953); parameters as in `RouseNetwork`."""
    return RouseNetwork(linear_bonds(n_beads), (friction,) * n_beads, spring, thermal_energy)


def tethered_particle(
    *,
    spring: float = 1.0,
    friction: float = 1.0,
    anchor_friction: float = 100.0,
    thermal_energy: float = 1.0,
) -> RouseNetwork:
    """An Ornstein-Uhlenbeck particle, tethered to a slow anchor rather than to the origin.

    cgsim sees only differences of positions, so there must be a bead at the centre of the well.
    """
    return RouseNetwork(linear_bonds(2), (friction, anchor_friction), spring, thermal_energy)
