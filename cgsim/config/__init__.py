"""The one home of defaults: dataclasses that feed the CLI, YAML, the docs and the checkpoint."""

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
from cgsim.config.training import FinetuningConfig, Hardware, TrainingConfig

__all__ = [
    "DynamicsConfig",
    "EmbeddingConfig",
    "FinetuningConfig",
    "GraphConfig",
    "Hardware",
    "ModelConfig",
    "NetworkNames",
    "SamplerConfig",
    "ScoreConfig",
    "TrainingConfig",
    "check_sampler",
]
