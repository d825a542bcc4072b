"""Conjugate gradients: large sparse precisions without a dense matrix."""

from collections.abc import Callable

import torch
from torch import Tensor


def conjugate_gradients(
    matrix: Callable[[Tensor], Tensor],
    right: Tensor,
    diagonal: Tensor,
    *,
    tolerance: float = 1e-5,
    n_iterations: int = 500,
) -> Tensor:
    """Solve ``P x = b`` for the three columns of ``b`` [n, 3], preconditioned by the diagonal.

    Parameters
    ----------
    matrix
        The product ``x -> P x``.
    tolerance
        Largest residual norm relative to the right-hand side.

    Raises
    ------
    ArithmeticError
        If it has not converged after ``n_iterations``.
    """
    solution, residual = torch.zeros_like(right), right
    search = preconditioned = residual / diagonal[:, None]
    strength = (residual * preconditioned).sum(dim=0)
    goal = tolerance * right.norm(dim=0)
    for _ in range(n_iterations):
        product = matrix(search)
        step = _ratio(strength, (search * product).sum(dim=0))
        solution, residual = solution + step * search, residual - step * product
        if bool((residual.norm(dim=0) <= goal).all()):
            return solution
        preconditioned = residual / diagonal[:, None]
        previous, strength = strength, (residual * preconditioned).sum(dim=0)
        search = preconditioned + _ratio(strength, previous) * search
    raise ArithmeticError(
        f"conjugate gradients did not reach {tolerance} in {n_iterations} iterations"
    )


def _ratio(numerator: Tensor, denominator: Tensor) -> Tensor:
    """Quotient of each column; zero for a column that is solved already."""
    return torch.where(denominator > 0, numerator / denominator, 0.0)
