"""`check_network`: it accepts what is right, and names what is wrong."""

from typing import Any

import pytest
import torch
from torch import Tensor

from cgsim.baselines import CompositionEmbedding, PlainDynamics
from cgsim.config import DynamicsConfig, EmbeddingConfig, ScoreConfig
from cgsim.model.dynamics import Dynamics, Prediction
from cgsim.model.embedding import GraphEmbedding
from cgsim.model.score.network import Score
from cgsim.testing import check_network


@pytest.mark.parametrize(
    ("network", "config"),
    [
        (GraphEmbedding, EmbeddingConfig(4, 1)),
        (CompositionEmbedding, EmbeddingConfig(n_channels=6)),
        (Dynamics, DynamicsConfig(n_channels=4, n_layers=1, noise="elastic")),
        (PlainDynamics, DynamicsConfig(n_channels=6, n_layers=1)),
        (Score, ScoreConfig(4, 1)),
    ],
)
def test_networks_of_cgsim_are_right(network: Any, config: Any) -> None:
    check_network(network, config)


class Drifting(Dynamics):
    """All beads go along x."""

    def forward(self, *arguments: Any, **more: Any) -> Prediction:
        said = super().forward(*arguments, **more)
        said.acceleration.mean[:, 0] += 1.0
        return said


class Forgetful(Dynamics):
    """It counts how often it was asked."""

    n_asked = 0

    def forward(self, *arguments: Any, **more: Any) -> Prediction:
        said = super().forward(*arguments, **more)
        self.n_asked += 1
        said.acceleration.mean.mul_(1 + 0.1 * self.n_asked)
        return said


class Crowded(GraphEmbedding):
    """A bead knows how many beads are in the batch."""

    def forward(self, *arguments: Any, **more: Any) -> Tensor:
        rows = super().forward(*arguments, **more)
        return rows * len(rows)


class Narrow(GraphEmbedding):
    """A number too few."""

    def forward(self, *arguments: Any, **more: Any) -> Tensor:
        return super().forward(*arguments, **more)[:, :-1]


class Idle(Dynamics):
    """A parameter that is never used."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.spare = torch.nn.Parameter(torch.ones(2))


class Cached(Dynamics):
    """Its scale is drawn, and no parameter."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.scale = torch.rand(())

    def forward(self, *arguments: Any, **more: Any) -> Prediction:
        said = super().forward(*arguments, **more)
        said.acceleration.mean.mul_(self.scale)
        return said


@pytest.mark.parametrize(
    ("network", "words"),
    [
        (Drifting, r"Predictions turn, shift and renumber .*rotation, chain: mean"),
        (Forgetful, r"The same input gives the same output twice: mean differs"),
        (Crowded, r"A batch gives what its systems give alone: batch"),
        (Narrow, r"the embedding has the shape \(5, 3\), expected \(5, 4\)"),
        (Idle, r"none of dynamics\.spare is ever used"),
        (Cached, r"is something kept that is no parameter"),
        (torch.nn.Linear, r"is no network: a class that inherits from one of"),
    ],
)
def test_what_is_wrong_is_said(network: Any, words: str) -> None:
    small: dict[Any, Any] = {DynamicsConfig: DynamicsConfig(4, 1)}
    small[EmbeddingConfig] = EmbeddingConfig(4, 1)
    with pytest.raises(AssertionError, match=rf"(?s){words}"):
        check_network(network, small.get(getattr(network, "Config", None)))
