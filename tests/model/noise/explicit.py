"""Precision matrices written out from their definition, pair by pair."""

import torch
from torch import Tensor

from cgsim.model.noise.correlated import CorrelatedGaussian
from cgsim.model.noise.elastic import ElasticGaussian
from cgsim.model.noise.gaussian import GaussianField


def explicit_precision(field: GaussianField) -> Tensor:
    """``diag(d_i) + sum_ij B_ij (delta_i - delta_j)(delta_i - delta_j)^T`` [3 n, 3 n]."""
    one = torch.eye(3, dtype=field.diagonal.dtype)
    matrix = torch.kron(torch.diag(field.diagonal), one)
    if not isinstance(field, CorrelatedGaussian | ElasticGaussian):
        return matrix
    blocks = field.weight[:, None, None] * one
    if isinstance(field, ElasticGaussian):
        along = field.direction[:, :, None] * field.direction[:, None, :]
        blocks = blocks + field.stiffness[:, None, None] * along
    for (first, second), block in zip(field.pairs.T.tolist(), blocks, strict=True):
        stretch = field.diagonal.new_zeros(len(field.diagonal))
        stretch[first], stretch[second] = 1, -1
        matrix = matrix + torch.kron(torch.outer(stretch, stretch), block)
    return matrix
