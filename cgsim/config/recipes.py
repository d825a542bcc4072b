"""What to train polymers and peptides with: the settings behind the packaged simulators."""

from dataclasses import dataclass
from typing import Any

from cgsim.config.model import DynamicsConfig, ModelConfig, SamplerConfig, ScoreConfig
from cgsim.config.training import TrainingConfig


@dataclass(frozen=True)
class Recipe:
    """How atoms become beads, what is learnt from them, and how.

    ``fit(data, folder, model=PEPTIDES.model, training=PEPTIDES.training)``, of data that were
    mapped by ``build_mapping(molecule, PEPTIDES.mapping)``; `dataclasses.replace` changes a part.

    Parameters
    ----------
    model, training
        As `cgsim.fit` takes them.
    mapping
        As `cgsim.build_mapping` takes it.
    """

    model: ModelConfig
    training: TrainingConfig
    mapping: dict[str, Any]


POLYMERS = Recipe(
    model=ModelConfig(),
    training=TrainingConfig(stride=5, n_steps=12_000, embedding_dropout=0.2),
    mapping={"method": "metis", "atoms_per_bead": 10},
)
"""Bead-spring polymers, learnt from many short chains of frames 1 ps (one tau) apart."""

PEPTIDES = Recipe(
    model=ModelConfig(
        dynamics=DynamicsConfig(noise="elastic", steps="turning"),
        score=ScoreConfig(
            n_channels=32, n_layers=3, rho=2.0, current_distances=True, unconditional=0.1
        ),
        sampler=SamplerConfig(
            n_evaluations=9,
            sigma_max=3.0,
            rho=2.0,
            churn=0.5,
            reject_beyond=30.0,
            guidance=2.5,
            guided_from=0.15,
            guided_to=0.7,
        ),
    ),
    training=TrainingConfig(
        stride=20,
        n_steps=160_000,
        n_cycles=2,
        steps_per_epoch=1000,
        history_noise=0.05,
        time_reversal=0.5,
        keep="last",
    ),
    mapping={"method": "residues", "rigid_motion": False},
)
"""Peptides in implicit water, learnt from ns of MD of many sequences, frames 1 ps apart."""
