"""Sizes of the quickstart, its architecture and its training."""

from dataclasses import dataclass

from cgsim.config import ModelConfig, TrainingConfig


@dataclass(frozen=True)
class QuickstartConfig:
    """Sizes of the quickstart; times in ps (one ps is one tau of the polymer).

    Parameters
    ----------
    n_train
        Class-I training chains, of which one in eight is kept for validation.
    train_duration
        MD of each training chain, ps.
    n_test
        Class-II test chains, never seen in training.
    test_duration
        Each of the two independent MD runs, and the roll-out, of every test chain, ps.
    atoms_per_bead
        Fine beads per bead.
    seed
        Seed of everything random.
    """

    n_train: int = 40
    train_duration: float = 1000.0
    n_test: int = 8
    test_duration: float = 4000.0
    atoms_per_bead: int = 10
    seed: int = 0


@dataclass(frozen=True)
class PretrainedConfig:
    """Sizes of the quickstart without training; times in ps (one ps is one tau of the polymer).

    Parameters
    ----------
    weights
        Name of a packaged simulator of polymers.
    size
        Size of the test chains (see `cgsim.md.sample_chains`), which is that of the training
        chains.
    n_test
        Class-II test chains, never seen in training.
    test_duration
        Each of the two independent MD runs, and the roll-out, of every test chain, ps.
    equilibration
        MD thrown away before, ps.
    seed
        Seed of everything random.
    """

    weights: str = "polymer-mini"
    size: str = "mini"
    n_test: int = 4
    test_duration: float = 1500.0
    equilibration: float = 500.0
    seed: int = 0


MODEL = ModelConfig()
TRAINING = TrainingConfig(stride=3, n_steps=1400)
