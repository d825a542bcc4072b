"""The one home of defaults, and recipes that change some of them.

A dataclass of settings for everything that has any; they feed the CLI, the YAML, the docs and the
checkpoint. `POLYMERS` and `PEPTIDES` are the settings behind the packaged simulators.
"""

from cgsim.config.recipes import PEPTIDES, POLYMERS, Recipe
from cgsim.config.settings import (
    DynamicsConfig,
    EmbeddingConfig,
    FinetuningConfig,
    GraphConfig,
    Hardware,
    ModelConfig,
    ScoreConfig,
    TrainingConfig,
)

__all__ = [
    "PEPTIDES",
    "POLYMERS",
    "DynamicsConfig",
    "EmbeddingConfig",
    "FinetuningConfig",
    "GraphConfig",
    "Hardware",
    "ModelConfig",
    "Recipe",
    "ScoreConfig",
    "TrainingConfig",
]
