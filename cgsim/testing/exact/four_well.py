"""A particle in the plane with four wells: a small system with rare, known transitions."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from tqdm import tqdm

#: Where the wells are, A to D, in units of length.
WELLS = ((2.0, -1.0), (0.5, 2.0), (-0.5, -2.0), (-2.0, 1.0))
STATE_NAMES = ("A", "B", "C", "D")

REACH = 6.0  # the quadrature ends here, where beta U is above 40
N_POINTS = 481  # of the quadrature along each axis
CHUNK = 200  # steps whose noise is drawn at once


@dataclass(frozen=True)
class FourWell:
    r"""A particle with inertia and friction in four Gaussian wells around a hill.

    ``U(x, y) = w (x^6 + y^6) - sum_k G(x - x_k) G(y - y_k) + G(x) G(y)`` with ``G(u) = exp(-u^2 / 2
    s^2)``, and Langevin dynamics ``m dv = -grad U dt - m gamma v dt + sqrt(2 m gamma / beta) dW``
    (Tsai, Kuo and Tiwary, Nature Communications 11, 5115, 2020). All in reduced units. Only x is
    looked at: its state is that of the nearest well. Exact populations of A, B, C and D with the
    defaults are 0.2697, 0.2303, 0.2303 and 0.2697.

    Published, from a running mean of 50 frames without excursions of up to 100 frames (see
    `cgsim.baselines.discretise.NearestState`): mean residence times 1402, 1212, 1245 and 1481 units
    of time, within 8 %; rates, in 1e-4 per unit of time, A to C 6.8, C to A 7.4, B to D 7.8, D to B
    6.3, A to B, B to A, C to D and D to C 0.3 to 0.6, and none between A and D or B and C. Neither
    the mass nor the length of a frame is given. A mass of 1 and a frame every 0.2 units of time
    give these numbers. Without inertia A leaves for C at 10.5 instead; with a frame every step, x
    within wells B and C crosses the border at 0 for longer than an excursion now and then, and B
    and C last 50 units of time.

    Parameters
    ----------
    beta
        Inverse temperature.
    mass
        ``m``.
    friction
        ``gamma``, per unit of time.
    timestep
        ``h``, of the integrator.
    width
        ``s``, of the Gaussians.
    wall
        ``w``.
    """

    beta: float = 9.5
    mass: float = 1.0
    friction: float = 1.0
    timestep: float = 0.01
    width: float = 0.8
    wall: float = 1e-4

    @property
    def centres(self) -> np.ndarray:
        """Of the states A to D: x of the wells, [4]."""
        return np.array(WELLS)[:, 0]

    def _hills(self, position: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Signed Gaussians [5, ...] and vectors [5, 2, ...] from their centres, in one dtype."""
        centres = np.array([*WELLS, (0.0, 0.0)]).astype(position.dtype)
        height = np.array([-1.0] * len(WELLS) + [1.0]).astype(position.dtype)
        ones = (1,) * (position.ndim - 1)
        apart = position - centres.reshape(*centres.shape, *ones)
        squared = (apart * apart).sum(axis=1)
        gauss = np.exp(squared * position.dtype.type(-0.5 / self.width**2))
        return gauss * height.reshape(-1, *ones), apart

    def energy(self, position: np.ndarray) -> np.ndarray:
        """``U`` [...] at positions [2, ...] (floating point)."""
        return self.wall * (position**6).sum(axis=0) + self._hills(position)[0].sum(axis=0)

    def force(self, position: np.ndarray) -> np.ndarray:
        """``-grad U`` [2, ...] at positions [2, ...] (floating point), in their dtype."""
        hills, apart = self._hills(position)
        number = position.dtype.type
        squared = position * position
        push = (hills[:, None] * apart).sum(axis=0) * number(1 / self.width**2)
        return push - squared * squared * position * number(6 * self.wall)

    def _grid(self) -> tuple[np.ndarray, np.ndarray]:
        """Points along an axis [N_POINTS] and probabilities [N_POINTS, N_POINTS] of the cells."""
        axis = np.linspace(-REACH, REACH, N_POINTS)
        weight = np.exp(-self.beta * self.energy(np.stack(np.meshgrid(axis, axis, indexing="ij"))))
        return axis, weight / weight.sum()

    @property
    def populations(self) -> np.ndarray:
        """Exact probabilities of the states A to D, [4], by quadrature.

        ``P_k ~ integral of exp(-beta U)`` over the strip of x nearest to well k. A point on a
        border counts half to each side: the rule of trapezoids in every strip.
        """
        axis, weight = self._grid()
        marginal = weight.sum(axis=1)
        borders = [REACH, *((a + b) / 2 for a, b in pairwise(self.centres)), -REACH]
        shares = [
            ((axis > low) & (axis < high)) + 0.5 * (np.isclose(axis, low) | np.isclose(axis, high))
            for high, low in pairwise(borders)
        ]
        return np.array(shares) @ marginal

    def sample(self, n_walkers: int, n_frames: int, *, stride: int = 1, seed: int) -> np.ndarray:
        """Trajectories of x of independent walkers that start in equilibrium.

        Integrated by the scheme of Zhang et al., J. Phys. Chem. A 123, 6056 (2019), its middle one.

        Parameters
        ----------
        n_walkers
            A thousand or more are fastest: they move together, in float32.
        n_frames
            Of every walker.
        stride
            Steps of the integrator per frame.
        seed
            Of starts and noise.

        Returns
        -------
        np.ndarray
            [n_walkers, n_frames], float32.

        Raises
        ------
        ValueError
            If a number is below one.
        """
        if min(n_walkers, n_frames, stride) < 1:
            raise ValueError(
                "n_walkers, n_frames and stride must be at least 1, got "
                f"{n_walkers}, {n_frames}, {stride}"
            )
        random = np.random.default_rng(seed)
        position = self._start(n_walkers, random)
        spread = np.float32((self.beta * self.mass) ** -0.5)  # of velocities in equilibrium
        velocity = spread * random.standard_normal(position.shape, dtype=np.float32)
        half, mobility = np.float32(self.timestep / 2), np.float32(self.timestep / self.mass)
        kept = np.float32(np.exp(-self.friction * self.timestep))
        kick = spread * np.sqrt(1 - kept * kept)
        x = np.empty((n_walkers, n_frames), dtype=np.float32)
        with tqdm(total=n_frames * stride, unit="step", desc="four wells") as bar:
            for first in range(0, n_frames * stride, CHUNK):
                n_steps = min(CHUNK, n_frames * stride - first)
                noise = random.standard_normal((n_steps, 2, n_walkers), dtype=np.float32)
                for step in range(n_steps):
                    if (first + step) % stride == 0:
                        x[:, (first + step) // stride] = position[0]
                    velocity = velocity + mobility * self.force(position)
                    position = position + half * velocity
                    velocity = kept * velocity + kick * noise[step]
                    position = position + half * velocity
                bar.update(n_steps)
        return x

    def _start(self, n_walkers: int, random: np.random.Generator) -> np.ndarray:
        """Positions [2, n_walkers] in equilibrium: cells of the grid, uniform within."""
        axis, weight = self._grid()
        cells = random.choice(weight.size, size=n_walkers, p=weight.ravel())
        rows = np.stack(np.unravel_index(cells, weight.shape))
        within = random.uniform(-0.5, 0.5, size=rows.shape) * (axis[1] - axis[0])
        return (axis[rows] + within).astype(np.float32)
