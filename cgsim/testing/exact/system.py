"""What every exact system can tell, and what follows if it is Gaussian."""

from abc import ABC, abstractmethod
from functools import cached_property

import numpy as np

from cgsim.mapping.trajectory import MappedTrajectory

LOG_2PI = float(np.log(2 * np.pi))
FREE = 1e-9  # eigenvalues below this part of the largest belong to free motion


class ExactSystem(ABC):
    """What all exact systems can tell.

    Attributes
    ----------
    bonds : n_bonds pairs
        Bonded beads, each pair once.
    """

    bonds: tuple[tuple[int, int], ...]

    @property
    @abstractmethod
    def n_beads(self) -> int:
        """Number of beads."""

    @property
    def atom_type(self) -> tuple[str, ...]:
        """Type of each bead."""
        return ("A",) * self.n_beads

    @property
    def bead_mass(self) -> np.ndarray:
        """Da, [n_beads]."""
        return np.ones(self.n_beads)

    @abstractmethod
    def frames(self, n_frames: int, timestep: float, random: np.random.Generator) -> np.ndarray:
        """Positions [n_frames, n_beads, 3], nm: a sample of the process, started in equilibrium."""

    @abstractmethod
    def log_density(self, history: np.ndarray, next_pos: np.ndarray, timestep: float) -> np.ndarray:
        """Log density of the next frame given the frames before, nats, [...].

        Parameters
        ----------
        history : [..., k, n_beads, 3]
            Positions, nm, the current ones last.
        next_pos : [..., n_beads, 3]
            Positions one step later, nm.
        timestep
            ps.
        """

    @abstractmethod
    def entropy_rate(self, timestep: float, *, history: int = 1) -> float:
        """Nats per degree of freedom (nm) and step, given ``history`` frames: the least NLL."""

    @abstractmethod
    def modes(self, pos: np.ndarray) -> list[np.ndarray]:
        """Independent observables of positions [f, n_beads, 3]: each [f, n_components], nm."""

    @abstractmethod
    def mode_autocorrelation(self, times: np.ndarray) -> np.ndarray:
        """Normalised autocorrelation [n_modes, n_times] of `modes` at times in ps."""

    @property
    @abstractmethod
    def squared_radius(self) -> tuple[float, float]:
        """Mean (nm^2) and variance (nm^4) of the squared radius of gyration, equal masses."""

    def trajectory(self, n_frames: int, timestep: float, *, seed: int) -> MappedTrajectory:
        """A trajectory to train on: one atom per bead, a frame every ``timestep`` ps."""
        pos = self.frames(n_frames, timestep, np.random.default_rng(seed))
        bonds = np.array(self.bonds, dtype=np.int64).reshape(-1, 2).T
        beads = np.arange(self.n_beads)
        return MappedTrajectory(
            name=type(self).__name__,
            atom_type=self.atom_type,
            atom_bonds=bonds,
            bead_index=beads,
            bead_name=tuple((f"R{bead + 1}", "B") for bead in beads),
            bead_mass=self.bead_mass,
            edge_index=bonds,
            pos=pos.astype(np.float32),
            frame_interval=timestep,
            recipe={"method": "user", "bead_index": beads.tolist()},
        )


class GaussianSystem(ExactSystem):
    """Harmonic beads: the next frame is Gaussian given the past, with x, y and z alike.

    With the mean ``mu`` and the covariance ``S`` [n, n] of one component, the log density is
    ``sum_c -1/2 (x - mu)_c^T S^-1 (x - mu)_c - 1/2 log det(2 pi S)``, and its mean per degree of
    freedom, with the opposite sign, the entropy rate ``(log det S / n + log 2 pi + 1) / 2``.
    """

    spring: float
    thermal_energy: float

    @abstractmethod
    def predict(self, history: np.ndarray, timestep: float) -> np.ndarray:
        """Mean of the next frame [..., n_beads, 3] given frames [..., k, n_beads, 3], nm."""

    @abstractmethod
    def covariance(self, timestep: float, *, history: int = 1) -> np.ndarray:
        """Covariance [n_beads, n_beads] of the next frame given ``history`` frames, nm^2."""

    def log_density(self, history: np.ndarray, next_pos: np.ndarray, timestep: float) -> np.ndarray:
        """Log density of the next frame given the frames before; see `ExactSystem`."""
        covariance = self.covariance(timestep, history=history.shape[-3])
        error = next_pos - self.predict(history, timestep)
        squared = (error * np.linalg.solve(covariance, error)).sum(axis=(-2, -1))
        log_det = np.linalg.slogdet(covariance).logabsdet
        return -0.5 * (squared + 3 * log_det + 3 * self.n_beads * LOG_2PI)

    def entropy_rate(self, timestep: float, *, history: int = 1) -> float:
        """Nats per degree of freedom (nm) and step, given ``history`` frames."""
        log_det = np.linalg.slogdet(self.covariance(timestep, history=history)).logabsdet
        return float(0.5 * (log_det / self.n_beads + LOG_2PI + 1))

    def independent_entropy_rate(self, timestep: float, *, history: int = 1) -> float:
        """The least NLL of a model whose beads are independent given the past, as above."""
        variance = np.diag(self.covariance(timestep, history=history))
        return float(0.5 * (np.log(variance).mean() + LOG_2PI + 1))

    @cached_property
    def stiffness(self) -> np.ndarray:
        """Matrix ``K`` [n_beads, n_beads] of the energy ``1/2 sum_c x_c^T K x_c``, kJ/mol/nm^2."""
        matrix = np.zeros((self.n_beads, self.n_beads))
        for first, second in self.bonds:
            matrix[[first, second], [first, second]] += self.spring
            matrix[[first, second], [second, first]] -= self.spring
        return matrix

    @property
    def squared_radius(self) -> tuple[float, float]:
        """Mean and variance of Rg^2.

        ``n Rg^2 = sum_c x_c^T x_c`` of centred positions, which have the covariance ``kT K^+``:
        mean ``3 kT tr(K^+) / n``, variance ``6 kT^2 tr(K^+ K^+) / n^2``.
        """
        spread = self.thermal_energy * np.linalg.pinv(self.stiffness, hermitian=True)
        return (
            3 * float(np.trace(spread)) / self.n_beads,
            6 * float(np.sum(spread**2)) / self.n_beads**2,
        )


def linear_bonds(n_beads: int) -> tuple[tuple[int, int], ...]:
    """Bonds of a linear chain."""
    return tuple((bead, bead + 1) for bead in range(n_beads - 1))
