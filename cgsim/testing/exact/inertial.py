"""A harmonic chain with momentum, of which only the positions are seen."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.linalg import expm

from cgsim.testing.exact.system import FREE, GaussianSystem, linear_bonds


@dataclass(frozen=True)
class InertialChain(GaussianSystem):
    """A linear chain with momentum: ``dx = v dt, m dv = -(K x + zeta v) dt + sqrt(2 kT zeta) dW``.

    Each normal mode, of stiffness ``K`` eigenvalue ``k``, is a Brownian oscillator ``(x, v)`` with
    the propagator ``A = exp(F t)``, ``F = [[0, 1], [-k/m, -zeta/m]]``, and the noise ``Q = C - A C
    A^T``, ``C = diag(kT/k, kT/m)``. If ``k = 0``, with ``g = zeta/m`` and ``e = exp(-g t)``:
    ``Q_xx = kT/(m g^2) (2 g t - 3 + 4 e - e^2)``, ``Q_xv = kT/(m g) (1 - e)^2``, ``Q_vv = kT/m (1 -
    e^2)`` (Chandrasekhar, Rev. Mod. Phys. 15, 1, 1943; Risken, sec. 10.2).

    Velocities are not seen. Given one frame they have the variance ``kT/m``; every further frame
    updates their mean and variance as in a Kalman filter without measurement error.

    Parameters
    ----------
    length
        Number of beads.
    spring
        kJ/mol/nm^2.
    friction
        ``zeta`` of every bead, kJ/mol ps/nm^2.
    mass
        ``m`` of every bead, Da.
    thermal_energy
        ``kT``, kJ/mol.
    """

    length: int = 8
    spring: float = 1.0
    friction: float = 0.5
    mass: float = 1.0
    thermal_energy: float = 1.0

    @property
    def n_beads(self) -> int:
        """Number of beads."""
        return self.length

    @property
    def bead_mass(self) -> np.ndarray:
        """Da, [n_beads]."""
        return np.full(self.length, self.mass)

    @property
    def bonds(self) -> tuple[tuple[int, int], ...]:  # type: ignore[override]
        """Neighbours along the chain."""
        return linear_bonds(self.length)

    @cached_property
    def _spectrum(self) -> tuple[np.ndarray, np.ndarray]:
        """Stiffness of each mode [n], zero first, and the modes [n, n]."""
        values, vectors = np.linalg.eigh(self.stiffness)
        return np.where(values > FREE * values[-1], values, 0.0), vectors

    def _step(self, timestep: float) -> tuple[np.ndarray, np.ndarray]:
        """Propagators ``A`` and noise ``Q`` of all modes, [n, 2, 2] each."""
        stiffness, rate = self._spectrum[0], self.friction / self.mass
        drift = np.zeros((self.length, 2, 2))
        drift[:, 0, 1], drift[:, 1, 0], drift[:, 1, 1] = 1, -stiffness / self.mass, -rate
        propagator = expm(drift * timestep)
        speed = self.thermal_energy / self.mass
        spread = np.zeros_like(drift)
        spread[1:, 0, 0], spread[:, 1, 1] = self.thermal_energy / stiffness[1:], speed
        noise = spread - propagator @ spread @ propagator.transpose(0, 2, 1)
        kept = np.exp(-rate * timestep)
        moved = speed / rate**2 * (2 * rate * timestep - 3 + 4 * kept - kept**2)
        both = speed / rate * (1 - kept) ** 2
        noise[0] = [[moved, both], [both, speed * (1 - kept**2)]]
        return propagator, noise

    def _velocity_variance(self, timestep: float, n_updates: int) -> np.ndarray:
        """Variance of the velocity of each mode given ``n_updates + 1`` frames, [n]."""
        propagator, noise = self._step(timestep)
        variance = np.full(self.length, self.thermal_energy / self.mass)
        for _ in range(n_updates):
            joint = noise + variance[:, None, None] * _outer(propagator[:, :, 1])
            variance = joint[:, 1, 1] - joint[:, 0, 1] ** 2 / joint[:, 0, 0]
        return variance

    def covariance(self, timestep: float, *, history: int = 1) -> np.ndarray:
        """Covariance [n_beads, n_beads] of the next frame given ``history`` frames, nm^2.

        It converges geometrically with ``history``: a large one gives the limit.
        """
        propagator, noise = self._step(timestep)
        velocity = self._velocity_variance(timestep, history - 1)
        modes = self._spectrum[1]
        return (modes * (noise[:, 0, 0] + propagator[:, 0, 1] ** 2 * velocity)) @ modes.T

    def predict(self, history: np.ndarray, timestep: float) -> np.ndarray:
        """Mean of the next frame, by filtering the velocities from the history."""
        propagator, noise = self._step(timestep)
        (xx, xv), (vx, vv) = np.moveaxis(propagator, 0, -1)[..., None]
        seen = self._spectrum[1].T @ history
        velocity = np.zeros_like(seen[..., 0, :, :])
        for frame in range(1, seen.shape[-3]):
            before, now = seen[..., frame - 1, :, :], seen[..., frame, :, :]
            variance = self._velocity_variance(timestep, frame - 1)
            joint = noise + variance[:, None, None] * _outer(propagator[:, :, 1])
            gain = (joint[:, 0, 1] / joint[:, 0, 0])[:, None]
            surprise = now - (xx * before + xv * velocity)
            velocity = vx * before + vv * velocity + gain * surprise
        return self._spectrum[1] @ (xx * seen[..., -1, :, :] + xv * velocity)

    def frames(self, n_frames: int, timestep: float, random: np.random.Generator) -> np.ndarray:
        """Positions [n_frames, n_beads, 3], nm."""
        stiffness, modes = self._spectrum
        propagator, noise = self._step(timestep)
        root = np.linalg.cholesky(noise)
        state = random.normal(size=(self.length, 2, 3)) * np.sqrt(self.thermal_energy / self.mass)
        state[0, 0] = 0
        state[1:, 0] *= np.sqrt(self.mass / stiffness[1:])[:, None]
        states = np.empty((n_frames, self.length, 3))
        for frame in range(n_frames):
            states[frame] = state[:, 0]
            state = propagator @ state + root @ random.normal(size=state.shape)
        return modes @ states

    def modes(self, pos: np.ndarray) -> list[np.ndarray]:
        """Normal modes but the free one, the softest first: n_beads - 1 arrays [f, 3]."""
        return list(np.moveaxis(self._spectrum[1].T @ pos, 1, 0))[1:]

    def mode_autocorrelation(self, times: np.ndarray) -> np.ndarray:
        """``A_xx(t)``: the memory of a position whose velocity is at equilibrium."""
        return np.stack([self._step(float(time))[0][1:, 0, 0] for time in times], axis=1)


def _outer(vectors: np.ndarray) -> np.ndarray:
    """``v v^T`` of vectors [n, d]: [n, d, d]."""
    return vectors[:, :, None] * vectors[:, None, :]
