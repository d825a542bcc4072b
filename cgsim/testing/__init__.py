"""Tests for simulators, ours or yours: exact symmetries, batches, small and exact systems."""

from cgsim.testing.checks import assert_batch_invariant, assert_equivariant
from cgsim.testing.networks import check_network
from cgsim.testing.systems import random_chain, random_molecule, random_simulator

__all__ = [
    "assert_batch_invariant",
    "assert_equivariant",
    "check_network",
    "random_chain",
    "random_molecule",
    "random_simulator",
]
