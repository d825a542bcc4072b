"""INTEGRATE: the semi-implicit Euler step and its exact inverse, which makes the training target.

| symbol  | variable       | shape  | unit    |
|---------|----------------|--------|---------|
| x_t     | `pos`          | [n, 3] | nm      |
| v_t     | `velocity`     | [n, 3] | nm/ps   |
| a_t     | `acceleration` | [n, 3] | nm/ps^2 |
| Delta   | `timestep`     | -      | ps      |
"""

from torch import Tensor


def velocity_from_history(history: Tensor, timestep: float | Tensor) -> Tensor:
    """Finite-difference velocity ``v_t = (x_t - x_{t-1}) / Delta``; zero if there is but one frame.

    Parameters
    ----------
    history : [n, k, 3]
        The k past frames, the current one last, nm.
    timestep
        Delta, ps.

    Returns
    -------
    [n, 3] in nm/ps.
    """
    if history.shape[1] == 1:
        return history.new_zeros(history.shape[0], 3)
    return (history[:, -1] - history[:, -2]) / timestep


def euler_step(
    pos: Tensor, velocity: Tensor, *, acceleration: Tensor, timestep: float | Tensor
) -> tuple[Tensor, Tensor]:
    """One semi-implicit Euler step.

    ``v_{t+1} = v_t + a_t Delta``, ``x_{t+1} = x_t + v_{t+1} Delta``

    Returns
    -------
    New positions (nm) and velocities (nm/ps), each [n, 3].
    """
    velocity = velocity + acceleration * timestep
    return pos + velocity * timestep, velocity


def acceleration_target(history: Tensor, next_pos: Tensor, *, timestep: float | Tensor) -> Tensor:
    """The acceleration that takes ``euler_step`` from the history to ``next_pos`` exactly.

    ``a_t = (x_{t+1} - x_t - v_t Delta) / Delta^2``, which is the second difference of the positions
    when k >= 2.

    Parameters
    ----------
    history : [n, k, 3]
        Past frames, nm. Centre them (or use float64): second differences of positions near 50 nm
        lose to 1e-4 in float32.
    next_pos : [n, 3]
        nm.

    Returns
    -------
    [n, 3] in nm/ps^2.
    """
    velocity = velocity_from_history(history, timestep)
    return (next_pos - history[:, -1] - velocity * timestep) / timestep**2
