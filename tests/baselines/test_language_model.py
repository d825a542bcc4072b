"""The language model: a known Markov chain, memory, order of sequences."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch

from cgsim.baselines.language_model import (
    LanguageModel,
    LanguageModelConfig,
    consecutive_sequences,
    fit_language_model,
)
from cgsim.evaluate.kinetics.states import measure_states

CHAIN = np.array([[0.8, 0.15, 0.05], [0.1, 0.8, 0.1], [0.1, 0.2, 0.7]])


def markov_chain(n_replicas: int, n_frames: int, *, seed: int) -> list[np.ndarray]:
    random = np.random.default_rng(seed)
    states = np.empty((n_replicas, n_frames), dtype=np.int64)
    state = random.integers(3, size=n_replicas)
    for frame in range(n_frames):
        states[:, frame] = state
        below = CHAIN[state].cumsum(axis=1) < random.random((n_replicas, 1))
        state = np.minimum(below.sum(axis=1), 2)
    return list(states)


def test_a_markov_chain_is_learned_and_sampled() -> None:
    config = LanguageModelConfig(n_units=16, n_sequence=50, n_steps=300, learning_rate=0.01)
    series = markov_chain(20, 2000, seed=0)
    model = fit_language_model(series, 3, config, seed=0)
    found = model.sample(np.stack(series)[:, :5].repeat(10, axis=0), 400, seed=1)
    assert found.shape == (200, 400)
    statistics = measure_states(list(found), 3, frame_interval=1.0)
    rates = CHAIN * (1 - np.eye(3))
    np.testing.assert_allclose(statistics.rates, rates, atol=0.02)
    stationary = np.linalg.matrix_power(CHAIN, 100)[0]
    np.testing.assert_allclose(statistics.populations, stationary, atol=0.03)
    entropy = -(stationary[:, None] * CHAIN * np.log(CHAIN)).sum()
    held_out = model.cross_entropy(markov_chain(5, 2000, seed=9))
    assert held_out.mean() == pytest.approx(entropy, abs=0.02)
    assert statistics.path_entropy == pytest.approx(entropy, abs=0.03)


def small_model() -> LanguageModel:
    torch.manual_seed(0)
    return LanguageModel(3, LanguageModelConfig(n_units=8)).eval()


def test_memory_is_carried() -> None:
    model = small_model()
    states = torch.randint(3, (2, 9), generator=torch.Generator().manual_seed(0))
    whole, _ = model(states)
    first, memory = model(states[:, :4])
    second, _ = model(states[:, 4:], memory)
    torch.testing.assert_close(torch.cat([first, second], dim=1), whole)


def test_memory_is_carried_from_one_training_sequence_to_the_next() -> None:
    """In 0 0 1 1 0 0 1 1 ... a state alone does not tell the next, which only the memory of those
    before does: with sequences of one frame, memory of the sequences before."""
    series = [np.resize([0, 0, 1, 1], 400)[start:] for start in range(4)]
    config = LanguageModelConfig(
        n_units=16, n_sequence=1, batch_size=16, n_steps=400, learning_rate=0.02
    )
    model = fit_language_model(series, 2, config, seed=0)
    assert model.cross_entropy(series).mean() < 0.3 * np.log(2)


def test_samples_follow_the_seed_and_the_temperature() -> None:
    model = small_model()
    prompt = np.zeros((4, 1), dtype=np.int64)
    once = model.sample(prompt, 20, seed=3)
    np.testing.assert_array_equal(once, model.sample(prompt, 20, seed=3))
    assert (once != model.sample(prompt, 20, seed=4)).any()
    cold = model.sample(prompt, 20, temperature=1e-6, seed=3)
    assert (cold == cold[0]).all()  # always the most probable one


def test_sequences_go_on_where_they_ended() -> None:
    """Of replicas that count upwards from a thousand each."""
    series = [1000 * replica + np.arange(40 + 10 * replica) for replica in range(3)]
    config = LanguageModelConfig(n_sequence=7, batch_size=5, n_steps=30)
    batches = list(consecutive_sequences(series, config, seed=0))
    assert len(batches) == 30
    assert batches[0][1].all()
    for tokens, _ in batches:
        assert (tokens.diff(dim=1) == 1).all()  # never across two replicas
    for (before, _), (after, is_new) in pairwise(batches):
        np.testing.assert_array_equal(after[~is_new, 0], before[~is_new, -1])
    n_new = sum(is_new.sum() for _, is_new in batches)
    assert 5 < n_new < 100


def test_same_seed_same_weights() -> None:
    config = LanguageModelConfig(n_units=4, n_sequence=5, batch_size=3, n_steps=3)
    series = markov_chain(2, 30, seed=0)
    one, other = (fit_language_model(series, 3, config, seed=2) for _ in range(2))
    for first, second in zip(one.parameters(), other.parameters(), strict=True):
        assert torch.equal(first, second)


def test_the_learning_rate_falls_at_the_end() -> None:
    config = LanguageModelConfig(n_steps=10, n_decay=4)
    factors = [config.rate_factor(step) for step in range(11)]
    assert factors == [1.0] * 7 + [0.75, 0.5, 0.25, 0.0]
    assert {LanguageModelConfig(n_steps=10).rate_factor(step) for step in range(10)} == {1.0}
    with pytest.raises(ValueError, match=r"n_decay must be 0 to n_steps \(10\), got 11"):
        LanguageModelConfig(n_steps=10, n_decay=11)


def test_what_has_stopped_learning_stays_as_it_is() -> None:
    series = markov_chain(3, 100, seed=0)
    config = LanguageModelConfig(n_units=4, n_sequence=20, n_steps=3, learning_rate=0.5)
    plain, slowed = (
        fit_language_model(series, 3, replace(config, n_decay=n_decay), seed=0)
        for n_decay in (0, 3)
    )
    start = fit_language_model(series, 3, replace(config, learning_rate=1e-9), seed=0)
    moved, less = (
        (model.readout.weight - start.readout.weight).norm() for model in (plain, slowed)
    )
    assert less < 0.9 * moved


def test_wrong_states_are_refused() -> None:
    config = LanguageModelConfig(n_sequence=5)
    with pytest.raises(ValueError, match="replica 1 holds states 0 to 3, not 0 to 2"):
        fit_language_model([np.zeros(9, int), np.array([0, 3] * 5)], 3, config, seed=0)
    with pytest.raises(ValueError, match="at least 6; the shortest has 5"):
        fit_language_model([np.zeros(5, int)], 3, config, seed=0)
    with pytest.raises(ValueError, match="must be integers"):
        small_model().sample(np.zeros((2, 1)), 3, seed=0)
    with pytest.raises(ValueError, match="temperature"):
        small_model().sample(np.zeros((2, 1), int), 3, temperature=0.0, seed=0)
