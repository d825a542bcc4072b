"""A language model of a sequence of states: embedding, LSTM, softmax.

Tsai, Kuo and Tiwary, "Learning molecular dynamics with simple language model built upon long
short-term memory neural network", Nature Communications 11, 5115 (2020). The cross entropy that
training lowers is, per frame, the entropy of paths (see `cgsim.evaluate.kinetics.states`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from tqdm import tqdm

Memory = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class LanguageModelConfig:
    """Architecture and training, by default the published ones.

    Parameters
    ----------
    n_embedding, n_units
        Width of the embedding and of the LSTM.
    n_sequence
        Frames of a training sequence.
    batch_size
        Sequences per step.
    n_steps
        Training steps.
    learning_rate
        Of Adam.
    n_decay
        Of the training steps the last ones, in which the learning rate falls linearly to zero: rare
        transitions need it. None as published.

    Raises
    ------
    ValueError
        If it is to fall for more steps than there are.
    """

    n_embedding: int = 8
    n_units: int = 64
    n_sequence: int = 100
    batch_size: int = 64
    n_steps: int = 4000
    learning_rate: float = 1e-3
    n_decay: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.n_decay <= self.n_steps:
            raise ValueError(f"n_decay must be 0 to n_steps ({self.n_steps}), got {self.n_decay}")

    def rate_factor(self, step: int) -> float:
        """What the learning rate is multiplied by at a step, from 0 on."""
        return min(1.0, (self.n_steps - step) / max(self.n_decay, 1))


class LanguageModel(nn.Module):
    """Probabilities of the next state given all before.

    Shapes
    ------
    states [n_chains, n_frames] (integers), memory of the LSTM or None
    -> logits of the following state [n_chains, n_frames, n_states], memory
    """

    def __init__(self, n_states: int, config: LanguageModelConfig) -> None:
        super().__init__()
        self.n_states = n_states
        self.embedding = nn.Embedding(n_states, config.n_embedding)
        self.lstm = nn.LSTM(config.n_embedding, config.n_units, batch_first=True)
        self.readout = nn.Linear(config.n_units, n_states)

    def forward(self, states: Tensor, memory: Memory | None = None) -> tuple[Tensor, Memory]:
        """Logits after every frame, and the memory after the last."""
        hidden, after = self.lstm(self.embedding(states), memory)
        return self.readout(hidden), after

    @torch.no_grad()
    def sample(
        self, prompt: np.ndarray, n_frames: int, *, temperature: float = 1.0, seed: int
    ) -> np.ndarray:
        """Go on with many sequences at once, frame by frame, the memory carried along.

        Parameters
        ----------
        prompt
            [n_chains, n_prompt], states to begin with.
        n_frames
            To add to each.
        temperature
            The logits are divided by it.
        seed
            Of the samples.

        Returns
        -------
        np.ndarray
            [n_chains, n_frames], without the prompt.

        Raises
        ------
        ValueError
            If the prompt is empty or holds other states, or the temperature is not positive.
        """
        _check_states(prompt, self.n_states, "the prompt")
        if prompt.ndim != 2 or not temperature > 0:
            raise ValueError(
                "prompt must be [n_chains, n_prompt] and temperature positive, got "
                f"{prompt.shape} and {temperature}"
            )
        generator = torch.Generator().manual_seed(seed)
        sampled = np.empty((len(prompt), n_frames), dtype=np.int64)
        logits, memory = self(torch.as_tensor(prompt))
        for frame in tqdm(range(n_frames), unit="frame", desc="language model"):
            probability = torch.softmax(logits[:, -1] / temperature, dim=-1)
            state = torch.multinomial(probability, 1, generator=generator)
            sampled[:, frame] = state[:, 0].numpy()
            logits, memory = self(state, memory)
        return sampled

    @torch.no_grad()
    def cross_entropy(self, series: Sequence[np.ndarray]) -> np.ndarray:
        """Nats per frame of each sequence, [n_series]: the mean of ``-log p`` of the next state."""
        values = []
        for states in series:
            _check_states(states, self.n_states, "a sequence")
            tokens = torch.as_tensor(states)[None]
            logits, _ = self(tokens[:, :-1])
            values.append(float(functional.cross_entropy(logits[0], tokens[0, 1:])))
        return np.array(values)


def fit_language_model(
    series: Sequence[np.ndarray], n_states: int, config: LanguageModelConfig, *, seed: int
) -> LanguageModel:
    """Train by cross entropy on consecutive sequences, the memory carried from one to the next.

    Parameters
    ----------
    series
        Replicas [n_frames] of integers, each longer than ``config.n_sequence``.
    n_states
        Number of states.
    seed
        Of the weights and of the order of the sequences.

    Raises
    ------
    ValueError
        If a replica is too short or holds other states.
    """
    for replica, states in enumerate(series):
        _check_states(states, n_states, f"replica {replica}")
    torch.manual_seed(seed)
    model = LanguageModel(n_states, config)
    optimiser = torch.optim.Adam(model.parameters(), lr=config.learning_rate)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, config.rate_factor)
    memory = (torch.zeros(1, config.batch_size, config.n_units),) * 2
    with tqdm(total=config.n_steps, unit="step", desc="language model") as bar:
        for tokens, is_new in consecutive_sequences(series, config, seed=seed):
            kept = ~torch.as_tensor(is_new)[None, :, None]
            logits, after = model(tokens[:, :-1], (memory[0] * kept, memory[1] * kept))
            loss = functional.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            memory = (after[0].detach(), after[1].detach())
            bar.set_postfix(nats=f"{loss.item():.4f}", refresh=False)
            bar.update()
    return model.eval()


def consecutive_sequences(
    series: Sequence[np.ndarray], config: LanguageModelConfig, *, seed: int
) -> Iterator[tuple[Tensor, np.ndarray]]:
    """Batches in which every row goes on where it ended in the batch before.

    A row at the end of its replica starts anew at a random frame of a random replica, longer ones
    more often.

    Yields
    ------
    Tokens [batch_size, n_sequence + 1], the last of which is the first of the next batch, and
    whether each row starts anew [batch_size].

    Raises
    ------
    ValueError
        If a replica is too short for one sequence.
    """
    lengths = np.array([len(states) for states in series])
    shortest = min(map(len, series), default=0)
    if shortest <= config.n_sequence:
        raise ValueError(
            f"sequences of {config.n_sequence} frames need replicas of at least "
            f"{config.n_sequence + 1}; the shortest has {shortest}"
        )
    random = np.random.default_rng(seed)
    joined = np.concatenate(series)
    ends = np.cumsum(lengths)
    at = np.full(config.batch_size, len(joined))
    end = at.copy()
    for _ in range(config.n_steps):
        is_new = at + config.n_sequence >= end
        drawn = random.choice(len(lengths), size=is_new.sum(), p=lengths / lengths.sum())
        room = lengths[drawn] - config.n_sequence
        at[is_new] = ends[drawn] - lengths[drawn] + random.integers(room)
        end[is_new] = ends[drawn]
        yield torch.as_tensor(joined[at[:, None] + np.arange(config.n_sequence + 1)]), is_new
        at = at + config.n_sequence


def _check_states(states: np.ndarray, n_states: int, what: str) -> None:
    if not states.size or not np.issubdtype(states.dtype, np.integer):
        raise ValueError(f"{what} must be integers, at least one, got {states.dtype}")
    if states.min() < 0 or states.max() >= n_states:
        raise ValueError(
            f"{what} holds states {states.min()} to {states.max()}, not 0 to {n_states - 1}"
        )
