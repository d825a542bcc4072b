"""What a bead makes of what it heard: scalars of invariants, nothing of its neighbours."""

import pytest
import torch
from torch import Tensor

from cgsim.nn.bead_network import BeadNetwork
from cgsim.testing.checks import random_rotation
from cgsim.testing.systems import perturb_parameters

LMAX = 2


@pytest.fixture(autouse=True)
def in_double() -> None:
    torch.set_default_dtype(torch.float64)


def parts_of(n_beads: int = 5) -> list[Tensor]:
    return [torch.randn(n_beads, 2 * order + 1, 4) for order in range(LMAX + 1)]


def trained() -> BeadNetwork:
    network = BeadNetwork(4, lmax=LMAX, n_hidden=8)
    perturb_parameters(network)
    return network


def test_untrained_changes_nothing() -> None:
    parts = parts_of()
    after = BeadNetwork(4, lmax=LMAX, n_hidden=8)(parts)
    for before, now in zip(parts, after, strict=True):
        torch.testing.assert_close(now, before, rtol=0, atol=0)


def test_changes_scalars_alone() -> None:
    parts = parts_of()
    scalars, *others = trained()(parts)
    assert (scalars - parts[0]).abs().min() > 1e-6
    for before, now in zip(parts[1:], others, strict=True):
        torch.testing.assert_close(now, before, rtol=0, atol=0)


def test_sees_every_order() -> None:
    network, parts = trained(), parts_of()
    before = network(parts)[0]
    for order in range(LMAX + 1):
        longer = [1.5 * part if k == order else part for k, part in enumerate(parts)]
        assert (network(longer)[0] - before).abs().max() > 1e-6


def test_turned_vectors_say_the_same() -> None:
    network, parts = trained(), parts_of()
    rotation = random_rotation(seed=3)
    turned = [parts[0], torch.einsum("ab,nbc->nac", rotation, parts[1]), -parts[2]]
    torch.testing.assert_close(network(turned)[0], network(parts)[0], rtol=1e-12, atol=1e-12)


def test_beads_do_not_mix() -> None:
    network, parts = trained(), parts_of()
    alone = network([part[2:3] for part in parts])[0]
    torch.testing.assert_close(alone, network(parts)[0][2:3], rtol=1e-12, atol=1e-12)


def test_gradient_of_no_vector_is_finite() -> None:
    parts = parts_of()
    still = torch.zeros_like(parts[1], requires_grad=True)
    trained()([parts[0], still, parts[2]])[0].sum().backward()
    assert still.grad is not None
    assert still.grad.isfinite().all()
