"""Propagators in files: the same steps after reading; foreign and damaged files are told."""

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from cgsim.baselines import load_propagator, save_propagator
from cgsim.baselines.files import is_propagator
from cgsim.baselines.recurrent import RecurrentConfig, fit_recurrent
from cgsim.io.headers import read_file_header
from cgsim.model.checkpoint import pretrained_file
from cgsim.testing.systems import random_chain
from tests.baselines.linear_maps import histories, known
from tests.model.drift import Drift


def test_a_linear_propagator_is_read_as_it_was_written(tmp_path: Path) -> None:
    propagator, history = known(n_frames=3), histories(6, n_frames=3)
    again = load_propagator(save_propagator(propagator, tmp_path / "var.safetensors"))
    assert type(again) is type(propagator)
    assert (again.timestep, again.length_scale) == (1.0, float("inf"))
    np.testing.assert_array_equal(
        again.sample(history, 2, seed=0), propagator.sample(history, 2, seed=0)
    )


def test_a_recurrent_propagator_is_read_as_it_was_written(tmp_path: Path) -> None:
    config = RecurrentConfig(history=3, n_units=8, n_steps=3)
    propagator = fit_recurrent([random_chain(4, n_frames=40)], config, stride=2, seed=0)
    again = load_propagator(save_propagator(propagator, tmp_path / "lstm.safetensors"))
    history = np.random.default_rng(0).normal(size=(2, 5, 3, 3))
    np.testing.assert_array_equal(
        again.sample(history, 2, seed=0), propagator.sample(history, 2, seed=0)
    )
    assert again.timestep == propagator.timestep
    assert again.length_scale == propagator.length_scale


def test_the_file_says_what_it_was_fitted_to(tmp_path: Path) -> None:
    fitted = {"kind": "var", "trajectories": [{"name": "a", "n_frames": 3}]}
    file = save_propagator(known(), tmp_path / "deep" / "var.safetensors", fitted=fitted)
    header = read_file_header(file)
    assert header["fitted"] == fitted
    assert header["units"]["length"] == "nm"
    assert is_propagator(file)
    assert not is_propagator(pretrained_file("polymer-mini"))


def test_a_class_of_the_user_is_named_by_the_user(tmp_path: Path) -> None:
    file = save_propagator(Drift(np.array([1.0, 2.0, 3.0]), 2.0), tmp_path / "drift.safetensors")
    with pytest.raises(ValueError, match=r"holds a Drift.*load it with propagator=Drift"):
        load_propagator(file)
    again = load_propagator(file, propagator=Drift)
    moved = again.step(np.zeros((1, 2, 1, 3)), np.random.default_rng(0))
    np.testing.assert_array_equal(moved, np.broadcast_to([1.0, 2.0, 3.0], (1, 2, 3)))
    assert again.timestep == 2.0
    linear = save_propagator(known(), tmp_path / "var.safetensors")
    with pytest.raises(ValueError, match="holds a LinearPropagator"):
        load_propagator(linear, propagator=Drift)


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no such checkpoint"):
        load_propagator(tmp_path / "none.safetensors")
    with pytest.raises(ValueError, match="not a cgsim propagator"):
        load_propagator(pretrained_file("polymer-mini"))
    foreign = tmp_path / "foreign.safetensors"
    save_file({"x": np.zeros(3)}, foreign)
    with pytest.raises(ValueError, match="not a cgsim propagator"):
        load_propagator(foreign)
    (tmp_path / "model.pt").write_bytes(b"\x80\x04pickle")
    with pytest.raises(ValueError, match="cgsim reads no pickles"):
        load_propagator(tmp_path / "model.pt")


def test_damage_and_newer_formats_are_told(tmp_path: Path) -> None:
    file = save_propagator(known(), tmp_path / "var.safetensors")
    header, arrays = read_file_header(file), load_file(file)

    def changed(own: dict[str, np.ndarray], **fields: object) -> Path:
        path = tmp_path / "changed.safetensors"
        save_file(own, path, metadata={"cgsim": json.dumps(header | fields)})
        return path

    with pytest.raises(ValueError, match="format version 2, this cgsim reads up to 1: upgrade"):
        load_propagator(changed(arrays, format_version=2))
    with pytest.raises(ValueError, match=r"changed\.safetensors: damaged.*covariance"):
        load_propagator(changed({"coefficients": arrays["coefficients"]}))
    with pytest.raises(ValueError, match=r"changed\.safetensors: damaged.*covariance"):
        load_propagator(changed(arrays | {"covariance": np.zeros((2, 2))}))
    file.write_bytes(file.read_bytes()[:-8])
    with pytest.raises(ValueError, match="truncated"):
        load_propagator(file)
