"""Simulators of systems with a known answer: excess NLL, relaxation of every mode, Rg^2.

    python -m benchmarks.exact [--quick]

Trains one simulator for every system, time step and noise, rolls it out without and with refinement
by its score network, and writes `benchmarks/results/exact.json`. Each simulator has a folder of its
own under `runs/exact` with its `scores.json`: what is done is skipped, and a second call goes on
where the first stopped. The quick version is the Rouse chain.
"""

import argparse
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from benchmarks.record import write_result
from cgsim.config import DynamicsConfig, GraphConfig, ModelConfig, ScoreConfig, TrainingConfig
from cgsim.evaluate.statistics.autocorrelation import autocorrelation, relaxation_time
from cgsim.io import read_json, write_atomic_json
from cgsim.mapping.trajectory import MappedTrajectory
from cgsim.model.loss import reduced_acceleration
from cgsim.model.simulator import Simulator
from cgsim.rollout.simulate import simulate
from cgsim.testing.exact import (
    DoubleWell,
    ExactSystem,
    GaussianSystem,
    InertialChain,
    rouse_chain,
    tethered_particle,
)

SYSTEMS: dict[str, tuple[ExactSystem, tuple[float, ...]]] = {
    "rouse": (rouse_chain(), (0.3, 1.0, 3.0)),
    "tethered": (tethered_particle(), (0.3, 1.0, 3.0)),
    "inertial": (InertialChain(), (0.3, 1.0, 3.0)),
    "double_well": (DoubleWell(), (0.03, 0.1, 0.3)),
}
N_TRAIN = {"double_well": 3000}  # frames; they are made by fine Euler steps, the others at once
N_TRAIN_DEFAULT = 20000
N_STEPS = 600  # of training
TARGET = ("rouse", "correlated")  # these must be within 10 % in every mode: they learn longer
N_TRAIN_TARGET, N_STEPS_TARGET = 100_000, 2000
N_TEST = 2000  # frames
N_LAGS = 400
N_REPLICAS, N_ROLLOUT, N_DISCARDED = 64, 1200, 200  # roll-outs
HISTORY = {"rouse": 1, "tethered": 1, "inertial": 4, "double_well": 1}


@dataclass(frozen=True)
class Case:
    """One simulator to train."""

    system: str
    timestep: float
    noise: Literal["independent", "correlated"]

    @property
    def name(self) -> str:
        """Of its folder."""
        return f"{self.system}-{self.timestep:g}-{self.noise}"

    @property
    def is_target(self) -> bool:
        """Whether it has to be within 10 % in every mode."""
        return (self.system, self.noise) == TARGET

    @property
    def n_frames(self) -> int:
        """Frames to learn from."""
        known = N_TRAIN.get(self.system, N_TRAIN_DEFAULT)
        return N_TRAIN_TARGET if self.is_target else known

    @property
    def n_steps(self) -> int:
        """Of training."""
        return N_STEPS_TARGET if self.is_target else N_STEPS

    @property
    def model(self) -> ModelConfig:
        """Its architecture: all beads connected."""
        return ModelConfig(
            history=HISTORY[self.system],
            graph=GraphConfig(n_hops=8),
            dynamics=DynamicsConfig(noise=self.noise),
            score=ScoreConfig(),
        )


def cases(*, quick: bool) -> Iterator[Case]:
    """Every simulator of the benchmark, or of its quick version."""
    for system, (_, timesteps) in SYSTEMS.items():
        if quick and system != "rouse":
            continue
        noises: tuple[Literal["independent", "correlated"], ...] = ("independent", "correlated")
        for timestep, noise in product(timesteps, noises):
            yield Case(system, timestep, noise)


def run(case: Case, folder: Path) -> list[dict[str, Any]]:
    """Train and score one simulator, without and with refinement, a row each; or read its rows."""
    training = replace(TrainingConfig(), n_steps=case.n_steps)
    file = folder / case.name / "scores.json"
    if file.exists() and (known := read_json(file))["training"] == asdict(training):
        return known["rows"]
    rows = measure(case, folder / case.name, training)
    write_atomic_json(file, {"training": asdict(training), "rows": rows})
    return rows


def measure(case: Case, folder: Path, training: TrainingConfig) -> list[dict[str, Any]]:
    """Train and score one simulator."""
    from cgsim.training.fit import fit

    system, n_frames = SYSTEMS[case.system][0], case.n_frames
    data = system.trajectory(n_frames, case.timestep, seed=training.seed)
    simulator = fit([data], folder, model=case.model, training=training)
    test = system.trajectory(min(n_frames, N_TEST), case.timestep, seed=training.seed + 1)
    known = asdict(case) | {"n_steps": case.n_steps, "n_frames": n_frames}
    known |= likelihood(simulator, system, test)
    unrefined = simulator.sampled_by(replace(simulator.sampler, n_evaluations=0))
    return [
        known | {"score": score} | roll_out(chosen, system, test, seed=training.seed)
        for score, chosen in ((False, unrefined), (True, simulator))
    ]


def roll_out(
    simulator: Simulator, system: ExactSystem, test: MappedTrajectory, *, seed: int
) -> dict[str, Any]:
    """Scales of a roll-out against the exact ones."""
    rollout = simulate(simulator, test, N_ROLLOUT, n_replicas=N_REPLICAS, seed=seed)
    kept = [np.asarray(t.pos[N_DISCARDED:], dtype=np.float64) for t in rollout.trajectories]
    kept = [pos for pos in kept if len(pos) == max(map(len, kept))]
    return statistics(system, kept, test.frame_interval) | {"failures": len(rollout.failures)}


@torch.no_grad()
def likelihood(
    simulator: Simulator, system: ExactSystem, test: MappedTrajectory
) -> dict[str, float]:
    """Nats per degree of freedom of ``x_{t+1}`` in nm on unseen windows, against the exact density.

    The excess is the mean of ``log p_exact - log p_Gaussian`` over the same windows, in which the
    noise of a finite test set largely cancels; a score network does not enter.
    """
    history = simulator.config.history
    dataset = simulator.windows([test])
    nlls, exact = [], []
    for rows in np.array_split(np.arange(len(dataset)), 8):
        batch = dataset[rows.tolist()]
        target = reduced_acceleration(simulator, batch.pos, batch.next_pos)
        field = simulator.predict(batch).acceleration
        nlls.append(-field.log_prob(target).numpy() / (3 * test.n_beads))
        frames = np.asarray(test.pos, dtype=np.float64)[rows[:, None] + np.arange(history + 1)]
        log_density = system.log_density(frames[:, :-1], frames[:, -1], test.frame_interval)
        exact.append(-log_density / (3 * test.n_beads))
    nll = np.concatenate(nlls) + np.log(simulator.scales.step_scale)
    excess = nll - np.concatenate(exact)
    entropy = system.entropy_rate(test.frame_interval, history=history)
    metrics = {
        "nll": float(nll.mean()),
        "entropy_rate": entropy,
        "excess_nll": float(excess.mean()),
        "excess_nll_error": float(excess.std() / np.sqrt(len(excess))),
    }
    if isinstance(system, GaussianSystem):
        least = system.independent_entropy_rate(test.frame_interval, history=history)
        metrics["least_excess_of_independent"] = least - entropy
    return metrics


def statistics(system: ExactSystem, replicas: list[np.ndarray], timestep: float) -> dict[str, Any]:
    """Relaxation times (1/e, on the same lags) and moments of Rg^2, learned over exact.

    NaN if no replica survived long enough.
    """
    exact = system.mode_autocorrelation(timestep * np.arange(N_LAGS))
    if len(replicas[0]) <= N_LAGS:
        nan = float("nan")
        unknown = dict.fromkeys(("rg2_mean_ratio", "rg2_variance_ratio"), nan)
        return {"relaxation_ratio": [nan] * len(exact), **unknown}
    observed = [system.modes(pos) for pos in replicas]
    ratios = []
    for mode, curve in enumerate(exact):
        series = [component for modes in observed for component in modes[mode].T]
        found = relaxation_time(autocorrelation(series, n_lags=N_LAGS), timestep)
        ratios.append(found / relaxation_time(curve, timestep))
    squared = np.concatenate(
        [((pos - pos.mean(1, keepdims=True)) ** 2).sum(-1).mean(-1) for pos in replicas]
    )
    mean, variance = system.squared_radius
    return {
        "relaxation_ratio": ratios,
        "rg2_mean_ratio": float(squared.mean()) / mean,
        "rg2_variance_ratio": float(squared.var()) / variance,
    }


def table(results: list[dict[str, Any]]) -> Table:
    """One row per simulator."""
    shown = Table(title="Learned over exact; NLL in nats per degree of freedom")
    heads = ("system", "Δ / ps", "noise", "score", "entropy", "excess", "modes, slow to fast")
    for head in (*heads, "<Rg²>", "var Rg²"):
        shown.add_column(head)
    for result in results:
        shown.add_row(
            result["system"],
            f"{result['timestep']:g}",
            result["noise"],
            "on" if result["score"] else "off",
            f"{result['entropy_rate']:.4f}",
            f"{result['excess_nll']:.4f}",
            " ".join(f"{ratio:.2f}" for ratio in result["relaxation_ratio"]),
            f"{result['rg2_mean_ratio']:.3f}",
            f"{result['rg2_variance_ratio']:.3f}",
        )
    return shown


def main() -> None:
    """Train, score, print, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="Rouse chain only")
    parser.add_argument("--output", type=Path, default=Path("runs/exact"), help="a folder")
    options = parser.parse_args()
    torch.set_num_threads(1)
    start = time.perf_counter()
    results: list[dict[str, Any]] = []
    for case in cases(quick=options.quick):
        results += run(case, options.output)
        Console(width=140).print(table(results[-2:]))
        path = write_result(
            "exact",
            f"python -m benchmarks.exact{' --quick' if options.quick else ''}",
            {"cases": results, "training": asdict(TrainingConfig()), "n_rollouts": N_REPLICAS},
            wall_clock=time.perf_counter() - start,
            seed=TrainingConfig().seed,
        )
    Console(width=140).print(table(results))
    print(f"written to {path}")


if __name__ == "__main__":
    main()
