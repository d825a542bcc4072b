"""The one home of defaults: dataclasses that feed the CLI, YAML, the docs and the checkpoint.

`POLYMERS` and `PEPTIDES` are the settings behind the packaged simulators.
"""

from cgsim.config.model import (
    DynamicsConfig,
    EmbeddingConfig,
    GraphConfig,
    ModelConfig,
    NetworkNames,
    SamplerConfig,
    ScoreConfig,
    check_sampler,
)
from cgsim.config.recipes import PEPTIDES, POLYMERS, Recipe
from cgsim.config.training import FinetuningConfig, Hardware, TrainingConfig

__all__ = [
    "PEPTIDES",
    "POLYMERS",
    "DynamicsConfig",
    "EmbeddingConfig",
    "FinetuningConfig",
    "GraphConfig",
    "Hardware",
    "ModelConfig",
    "NetworkNames",
    "Recipe",
    "SamplerConfig",
    "ScoreConfig",
    "TrainingConfig",
    "check_sampler",
]
