"""What the MD of the panel costs, and how its energy is compared: arithmetic."""

import numpy as np
import pytest

from benchmarks.peptides import cost, energy
from benchmarks.peptides.runs import MD, Panel


def test_a_step_of_a_millisecond_is_so_many_days() -> None:
    # 86,400 s hold 86.4 million steps of 1 ms, of 4 fs each: 345.6 ns.
    found = cost.cost(1.0, 0.004)
    assert found["ns_per_core_day"] == pytest.approx(345.6)
    for part, days in found["core_days"].items():
        assert days * 345.6 == pytest.approx(cost.total_duration(part))


def test_durations_are_those_of_the_command_of_the_panel() -> None:
    panel = Panel(cost.DURATION["train"], cost.DURATION["unseen"])
    assert panel.options == "--train-duration 12 --unseen-duration 33"
    run = panel.md(panel.unseen_duration, n_replicas=2)
    equilibrated = run.duration + run.equilibration
    assert cost.total_duration("unseen") * 1000 == pytest.approx(5 * run.n_replicas * equilibrated)


def test_the_settings_are_those_of_the_panel() -> None:
    assert energy.FORCE_FIELD.temperature == MD.temperature
    assert energy.FORCE_FIELD.timestep == MD.timestep
    assert energy.FORCE_FIELD.solvent == MD.solvent


def test_the_error_of_independent_energies_is_that_of_their_mean() -> None:
    values = np.random.default_rng(0).normal(-90.0, 24.0, size=(20, 2000))
    found = energy.estimate_of(values)
    assert found["fluctuation"] == pytest.approx(24.0, rel=0.02)
    assert found["error"] == pytest.approx(24.0 / np.sqrt(values.size), rel=0.3)
    assert abs(found["mean"] + 90.0) < 4 * found["error"]


def test_a_difference_is_counted_in_errors_of_both() -> None:
    now, before = {"mean": -80.0, "error": 3.0}, {"mean": -90.0, "error": 4.0}
    assert energy.difference(now, before) == pytest.approx(2.0)
