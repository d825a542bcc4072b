"""Configurations survive plain dictionaries, and mistakes in them are named by their path."""

import json
from dataclasses import dataclass, replace
from typing import Any

import pytest

from cgsim.config import (
    DynamicsConfig,
    FinetuningConfig,
    GraphConfig,
    ModelConfig,
    SamplerConfig,
    ScoreConfig,
    TrainingConfig,
)
from cgsim.io.records import from_dict, to_dict


@pytest.mark.parametrize(
    "config",
    [
        ModelConfig(),
        ModelConfig(history=4, score=None),
        ModelConfig(
            graph=GraphConfig(n_hops=1, cutoff=1.5),
            dynamics=DynamicsConfig(lmax=2, noise="independent"),
            sampler=SamplerConfig(sigma_max=9.0),
        ),
        TrainingConfig(stride=7, learning_rate=1e-4, seed=3),
    ],
)
def test_round_trip_through_json(config: Any) -> None:
    assert from_dict(type(config), json.loads(json.dumps(to_dict(config)))) == config


def test_missing_fields_take_the_defaults() -> None:
    config = from_dict(ModelConfig, {"dynamics": {"lmax": 2}})
    assert config == ModelConfig(dynamics=replace(ModelConfig().dynamics, lmax=2))


def test_integers_become_floats() -> None:
    config = from_dict(ModelConfig, {"graph": {"cutoff": 2}})
    assert config.graph.cutoff == 2.0
    assert type(config.graph.cutoff) is float


def test_score_can_be_absent() -> None:
    assert from_dict(ModelConfig, {"score": None}).score is None
    assert from_dict(ModelConfig, {"score": {}}).score == ScoreConfig()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"histroy": 2}, r"^config: unknown key 'histroy'; known keys: .*history"),
        ({"dynamics": {"l_max": 2}}, r"^config\.dynamics: unknown key 'l_max'"),
        ({"score": {"levels": 2}}, r"^config\.score: unknown key 'levels'"),
        ({"history": 2.5}, r"^config\.history: expected int, got 2\.5"),
        ({"history": True}, r"^config\.history: expected int, got True"),
        ({"history": "2"}, r"^config\.history: expected int, got '2'"),
        ({"history": None}, r"^config\.history: expected int, got None"),
        ({"graph": {"cutoff": "far"}}, r"^config\.graph\.cutoff: expected float, got 'far'"),
        ({"graph": {"cutoff": False}}, r"^config\.graph\.cutoff: expected float, got False"),
        ({"embedding": 4}, r"^config\.embedding: expected a mapping of fields, got int"),
        ([], r"^config: expected a mapping of fields, got list"),
    ],
)
def test_mistakes_are_named_by_their_path(values: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        from_dict(ModelConfig, values)


def test_path_starts_where_the_caller_says() -> None:
    with pytest.raises(ValueError, match=r"^model\.pt: model\.history: expected int"):
        from_dict(ModelConfig, {"history": "2"}, where="model.pt: model")


def test_required_fields_are_required() -> None:
    @dataclass(frozen=True)
    class Scales:
        length: float
        time: float = 1.0

    assert from_dict(Scales, {"length": 2}) == Scales(2.0)
    with pytest.raises(ValueError, match=r"^scales: missing key 'length'"):
        from_dict(Scales, {"time": 2.0}, where="scales")


def test_configs_cannot_be_changed_in_place() -> None:
    with pytest.raises(AttributeError):
        ModelConfig().history = 3  # type: ignore[misc]


@pytest.mark.parametrize("name", ["embedding_dropout", "time_reversal"])
@pytest.mark.parametrize("value", [-0.1, 1.5])
def test_shares(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{name} must lie between 0 and 1, got {value}"):
        from_dict(TrainingConfig, {name: value})
    assert getattr(from_dict(TrainingConfig, {name: 0.5}), name) == 0.5


def test_there_is_a_cycle() -> None:
    with pytest.raises(ValueError, match="n_cycles must be at least 1, got 0"):
        TrainingConfig(n_cycles=0)


def test_share_of_fine_tuning() -> None:
    with pytest.raises(ValueError, match=r"time_reversal must lie between 0 and 1, got 2\.0"):
        FinetuningConfig(time_reversal=2.0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"score": {"rho": 0.0}}, "rho must be positive"),
        ({"score": {"unconditional": 1.0}}, r"unconditional must be between 0 and 1, got 1\.0"),
        ({"sampler": {"churn": -0.1}}, "churn must not be negative"),
        (
            {"sampler": {"churn": 0.5, "n_evaluations": 4}},
            "n_evaluations must be odd with churn, got 4",
        ),
        ({"sampler": {"guidance": 2.0}}, "needs a score network trained with an unconditional"),
    ],
)
def test_refinements_that_cannot_be_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        from_dict(ModelConfig, settings)
