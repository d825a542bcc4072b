"""A contract test for networks of one's own: what is wrong, in words."""

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from cgsim.config import ModelConfig
from cgsim.mapping.trajectory import MappedTrajectory
from cgsim.model.checkpoint import load_simulator, save_simulator
from cgsim.model.networks import Network, role_of, with_networks
from cgsim.model.simulator import Simulator
from cgsim.testing.checks import assert_batch_invariant, assert_equivariant, outputs
from cgsim.testing.systems import TINY, random_chain, random_simulator

CHAINS = (random_chain(5), random_chain(4, seed=3, name="other"))


def check_network(network: Network, config: Any = None) -> None:
    """Check a network of one's own as a simulator will use it.

    It is put into a small simulator with random weights, in float64, beside the networks of cgsim
    for the other roles. Checked are the shapes of what it gives, that it gives the same twice, that
    its predictions turn, shift and renumber with the molecule (unless it says that it is not
    ``equivariant``), that a batch gives what its systems give alone, that every parameter learns,
    and that a stored simulator answers as it did.

    Parameters
    ----------
    network
        A class that inherits from `EmbeddingNetwork`, `DynamicsNetwork` or `ScoreNetwork`.
    config
        Its settings, an instance of ``network.Config``; the defaults if not given.

    Raises
    ------
    AssertionError
        Naming everything that is wrong.
    """
    try:
        simulator = _simulator_on(network, config)
    except Exception as error:  # whatever the constructor of a user raises
        raise AssertionError(f"{network!r} cannot be built: {error}") from error
    faults = []
    for check in CHECKS:
        try:
            check(simulator)
        except Exception as error:  # of the network, or what a check found
            faults.append(f"- {(check.__doc__ or '').rstrip('.')}: {error}")
            if check is _shapes:  # what comes after would say the same in other words
                break
    if faults:
        raise AssertionError(
            f"{network.__name__} is not as a simulator needs it:\n" + "\n".join(faults)
        )


def _simulator_on(network: Network, config: Any) -> Simulator:
    role = role_of(network)
    own: dict[str, Any] = {role: network.Config() if config is None else config}
    model = with_networks(replace(TINY, **own), network)
    if role == "dynamics" and _built(replace(model, score=None)).dynamics.irreps is None:
        model = replace(model, score=None)
    return _built(model).double()


def _built(model: ModelConfig) -> Simulator:
    torch.manual_seed(0)
    return random_simulator(CHAINS, model)


def _window(simulator: Simulator, chain: MappedTrajectory = CHAINS[0]) -> Any:
    batch = simulator.windows([chain])[3]
    return batch, torch.as_tensor(chain.pos[0] - chain.pos[1]).double()


def _shapes(simulator: Simulator) -> None:
    """Shapes."""
    batch, residual = _window(simulator)
    n, config = len(batch.mass), simulator.config
    embedding = simulator.embed(batch)
    _check_shape("the embedding", embedding, (n, config.embedding.n_channels))
    prediction = simulator.predict(batch)
    _check_shape("the mean of the accelerations", prediction.acceleration.mean, (n, 3))
    _check_shape("the mean displacement", prediction.displacement, (n, 3))
    if simulator.score is None:
        return
    _check_shape("the latents", prediction.latent, (n, simulator.dynamics.irreps.dim))
    graph = simulator.graph_at(batch.pos[:, -1].double(), batch)
    answer = simulator.score(
        simulator.steps.whitening.of(prediction.acceleration).encode(residual),
        torch.full((n,), 0.7, dtype=torch.float64),
        vector=prediction.vector,
        current=prediction,
        graph=graph,
    )
    _check_shape("the answer", answer, (n, 3, simulator.steps.whitening.n_answers))


def _check_shape(what: str, value: Any, expected: tuple[int, ...]) -> None:
    if tuple(value.shape) != expected:
        raise AssertionError(f"{what} has the shape {tuple(value.shape)}, expected {expected}")
    if not value.isfinite().all():
        raise AssertionError(f"{what} is not finite")


def _deterministic(simulator: Simulator) -> None:
    """The same input gives the same output twice."""
    first, second = (outputs(simulator, *_window(simulator)) for _ in range(2))
    for name, value in first.items():
        if not torch.equal(value, second[name]):
            raise AssertionError(f"{name} differs")


def _equivariant(simulator: Simulator) -> None:
    """Predictions turn, shift and renumber with the molecule."""
    if simulator.dynamics.equivariant:
        for chain in CHAINS:
            assert_equivariant(simulator, chain)


def _batch_invariant(simulator: Simulator) -> None:
    """A batch gives what its systems give alone."""
    assert_batch_invariant(simulator, CHAINS)


def _learns(simulator: Simulator) -> None:
    """Every parameter has a part in the loss."""
    batch = simulator.windows(CHAINS)[[0, 4]]
    losses = simulator.loss(batch, generator=torch.Generator().manual_seed(0))
    torch.stack(list(losses.values())).sum().backward()
    idle = [name for name, value in simulator.named_parameters() if value.grad is None]
    simulator.zero_grad()
    if idle:
        raise AssertionError(f"none of {', '.join(idle)} is ever used")


def _saved(simulator: Simulator) -> None:
    """A stored simulator answers as it did."""
    with tempfile.TemporaryDirectory() as folder:
        found = load_simulator(save_simulator(simulator, Path(folder) / "a.safetensors"))
    before, after = (outputs(own, *_window(own)) for own in (simulator, found))
    for name, value in before.items():
        if not torch.equal(value, after[name]):
            raise AssertionError(f"{name} differs: is something kept that is no parameter?")


CHECKS: tuple[Callable[[Simulator], None], ...] = (
    _shapes,
    _deterministic,
    _equivariant,
    _batch_invariant,
    _learns,
    _saved,
)
