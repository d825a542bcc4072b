"""A bond with two favourite lengths: Gaussian in no step that is long enough to cross between."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.interpolate import RegularGridInterpolator
from scipy.linalg import eigh_tridiagonal
from scipy.special import eval_legendre, roots_legendre

from cgsim.testing.exact.system import LOG_2PI, ExactSystem

N_RADII = 240  # cells of the radial grid
HIGHEST = 30.0  # kT above the wells at which the grid ends
MOST_WAVES = 160
NEGLIGIBLE = 30.0  # decay exponent beyond which a spherical wave is left out
FINE = 0.02  # Euler step in units of the relaxation time within a well


@dataclass(frozen=True)
class DoubleWell(ExactSystem):
    r"""Two overdamped beads with the energy ``U(r) = barrier ((r - middle)^2 / half_gap^2 - 1)^2``.

    The centre diffuses with ``kT / 2 zeta``, the bond vector with ``D = 2 kT / zeta`` in ``U``. Its
    transition density is a sum over spherical waves (Risken, The Fokker-Planck Equation, ch. 5),

    ``p(r', r, gamma; t) = sum_l (2 l + 1) / 4 pi P_l(cos gamma) G_l(r', r; t) / r'^2``

    where ``G_l`` propagates the radial density with the effective energy ``w = U/kT - 2 log r`` and
    loses ``D l (l + 1) / r^2``. On a grid of spacing ``h`` with the rates ``D/h^2 exp(-(w_j -
    w_i)/2)`` from cell ``i`` to its neighbour ``j``, detailed balance is exact, and the matrix
    symmetrised by ``pi_i ~ exp(-w_i)`` is tridiagonal: its eigenvalues are the relaxation rates.

    Parameters
    ----------
    barrier
        Between the wells, kJ/mol.
    middle, half_gap
        Wells are at ``middle - half_gap`` and ``middle + half_gap``, nm.
    friction
        ``zeta`` of each bead, kJ/mol ps/nm^2.
    thermal_energy
        ``kT``, kJ/mol.
    """

    barrier: float = 2.0
    middle: float = 1.0
    half_gap: float = 0.4
    friction: float = 1.0
    thermal_energy: float = 1.0

    bonds = ((0, 1),)

    @property
    def n_beads(self) -> int:
        """Two."""
        return 2

    @property
    def _diffusion(self) -> float:
        """``D`` of the bond vector, nm^2/ps."""
        return 2 * self.thermal_energy / self.friction

    def energy(self, radius: np.ndarray) -> np.ndarray:
        """``U`` at bond lengths in nm, kJ/mol."""
        return self.barrier * (((radius - self.middle) / self.half_gap) ** 2 - 1) ** 2

    def _pull(self, radius: np.ndarray) -> np.ndarray:
        """``dU/dr``, kJ/mol/nm."""
        apart = (radius - self.middle) / self.half_gap
        return 4 * self.barrier / self.half_gap * apart * (apart**2 - 1)

    # ---------------------------------------------------------------- spherical waves

    @cached_property
    def _grid(self) -> tuple[np.ndarray, float]:
        """Bond lengths [N_RADII] at the middle of the cells, and their spacing, nm."""
        highest = 1 + np.sqrt(HIGHEST * self.thermal_energy / self.barrier)
        reach = self.half_gap * np.sqrt(highest)
        edges = np.linspace(max(0.0, self.middle - reach), self.middle + reach, N_RADII + 1)
        return (edges[1:] + edges[:-1]) / 2, float(edges[1] - edges[0])

    @cached_property
    def _weights(self) -> np.ndarray:
        """Probability of each cell [N_RADII]."""
        radius, _ = self._grid
        weight = radius**2 * np.exp(-self.energy(radius) / self.thermal_energy)
        return weight / weight.sum()

    def _waves(self, order: int) -> tuple[np.ndarray, np.ndarray]:
        """Relaxation rates [N_RADII], 1/ps, slowest first, and eigenvectors of one order."""
        radius, spacing = self._grid
        root = np.sqrt(self._weights)
        rate = self._diffusion / spacing**2
        loss = np.zeros(N_RADII)
        loss[:-1] += rate * root[1:] / root[:-1]
        loss[1:] += rate * root[:-1] / root[1:]
        loss += self._diffusion * order * (order + 1) / radius**2
        return eigh_tridiagonal(loss, np.full(N_RADII - 1, -rate))

    @property
    def relaxation_times(self) -> np.ndarray:
        """Slowest times of the bond length (hopping) and of the bond vector, ps, [2]."""
        return np.array([1 / self._waves(0)[0][1], 1 / self._waves(1)[0][0]])

    def bond_density(self, timestep: float) -> tuple[np.ndarray, np.ndarray]:
        """Density of the next bond vector, 1/nm^3, [N_RADII, N_RADII, n_angles].

        Returns
        -------
        The density, by bond length now, then, and the cosine of the angle between; and these
        cosines (Gauss-Legendre nodes).
        """
        radius, spacing = self._grid
        root = np.sqrt(self._weights)
        stride = self._diffusion * timestep
        n_waves = min(MOST_WAVES, 2 + int(radius[-1] * np.sqrt(NEGLIGIBLE / stride)))
        cosine, _ = roots_legendre(2 * n_waves)
        density = np.zeros((N_RADII, N_RADII, len(cosine)))
        for order in range(n_waves):
            rates, vectors = self._waves(order)
            kernel = (vectors * np.exp(-rates * timestep)) @ vectors.T
            kernel *= (2 * order + 1) / (4 * np.pi) * root / root[:, None]
            density += kernel[:, :, None] * eval_legendre(order, cosine)
        return density / (spacing * radius[:, None] ** 2), cosine

    # ---------------------------------------------------------------- what can be told

    def entropy_rate(self, timestep: float, *, history: int = 1) -> float:
        """Nats per degree of freedom (nm) and step, whatever the history: it is Markov.

        Of the centre, ``3/2 log(4 pi e D_c t)``, plus the bond vector's, integrated on the grid.
        Steps must be longer than ``3 h^2 / D`` for the grid to resolve them.
        """
        radius, spacing = self._grid
        density, cosine = self.bond_density(timestep)
        _, angle_weight = roots_legendre(len(cosine))
        log = np.log(np.maximum(density, 1e-300))
        mean = (density * log) @ angle_weight * 2 * np.pi
        bond = -float(self._weights @ mean @ (spacing * radius**2))
        centre = 1.5 * (LOG_2PI + 1 + np.log(self.thermal_energy / self.friction * timestep))
        return float(bond + centre) / 6

    def log_density(self, history: np.ndarray, next_pos: np.ndarray, timestep: float) -> np.ndarray:
        """Log density of the next frame, interpolated on the grid; see `ExactSystem`."""
        pos = history[..., -1, :, :]
        now, later = (frame[..., 1, :] - frame[..., 0, :] for frame in (pos, next_pos))
        lengths = [np.linalg.norm(bond, axis=-1) for bond in (now, later)]
        turn = (now * later).sum(axis=-1) / (lengths[0] * lengths[1])
        density, cosine = self.bond_density(timestep)
        table = RegularGridInterpolator(
            (self._grid[0], self._grid[0], cosine),
            np.log(np.maximum(density, 1e-300)),
            bounds_error=False,
            fill_value=None,
        )
        spread = self.thermal_energy / self.friction * timestep
        moved = (next_pos - pos).mean(axis=-2)
        centre = -0.5 * (moved**2).sum(axis=-1) / spread - 1.5 * (LOG_2PI + np.log(spread))
        return table(np.stack([*lengths, turn], axis=-1)) + centre

    @property
    def squared_radius(self) -> tuple[float, float]:
        """Mean and variance of ``Rg^2 = r^2 / 4`` under ``r^2 exp(-U(r) / kT)``."""
        squared = self._grid[0] ** 2 / 4
        mean = float(self._weights @ squared)
        return mean, float(self._weights @ (squared - mean) ** 2)

    def frames(self, n_frames: int, timestep: float, random: np.random.Generator) -> np.ndarray:
        """Positions [n_frames, 2, 3], nm, by Euler steps of a fiftieth of the time in a well."""
        return self.replicas(1, n_frames, timestep, random)[0]

    def replicas(
        self, n_replicas: int, n_frames: int, timestep: float, random: np.random.Generator
    ) -> np.ndarray:
        """Independent trajectories [n_replicas, n_frames, 2, 3], nm; see `frames`."""
        in_well = self.friction * self.half_gap**2 / (16 * self.barrier)
        n_steps = max(1, int(np.ceil(timestep / (FINE * in_well))))
        step = timestep / n_steps
        drift = 2 * step / self.friction
        kick = np.sqrt(2 * self._diffusion * step)
        radius, spacing = self._grid
        length = random.choice(radius, size=(n_replicas, 1), p=self._weights)
        length = length + spacing * random.uniform(-0.5, 0.5, size=length.shape)
        direction = random.normal(size=(n_replicas, 3))
        bond = length * direction / np.linalg.norm(direction, axis=1, keepdims=True)
        bonds = np.empty((n_replicas, n_frames, 3))
        for frame in range(n_frames):
            bonds[:, frame] = bond
            for noise in kick * random.normal(size=(n_steps, n_replicas, 3)):
                length = np.sqrt((bond * bond).sum(axis=1, keepdims=True))
                bond = bond - drift * self._pull(length) / length * bond + noise
        spread = np.sqrt(self.thermal_energy / self.friction * timestep)
        centre = np.cumsum(spread * random.normal(size=bonds.shape), axis=1)
        return np.stack([centre - bonds / 2, centre + bonds / 2], axis=2)

    def modes(self, pos: np.ndarray) -> list[np.ndarray]:
        """Bond length [f, 1] and bond vector [f, 3], nm."""
        bond = pos[:, 1] - pos[:, 0]
        return [np.linalg.norm(bond, axis=1, keepdims=True), bond]

    def mode_autocorrelation(self, times: np.ndarray) -> np.ndarray:
        """Of the bond length (mean removed) and of the bond vector."""
        rows = []
        for order in (0, 1):
            rates, vectors = self._waves(order)
            amplitude = (np.sqrt(self._weights) * self._grid[0] @ vectors) ** 2
            amplitude[0] *= order  # the mean of the bond length
            rows.append(amplitude @ np.exp(-np.outer(rates, times)) / amplitude.sum())
        return np.stack(rows)
