"""Simulators in files: the same after loading, bad files refused by name, no pickle read."""

import ast
import importlib.util
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from cgsim.baselines import CompositionEmbedding
from cgsim.model import checkpoint
from cgsim.model.checkpoint import (
    FORMAT_VERSION,
    Provenance,
    load_provenance,
    load_simulator,
    read_header,
    read_simulator,
    save_simulator,
)
from cgsim.model.simulator import Simulator
from cgsim.model.upgrade import upgraded_model
from cgsim.testing.checks import outputs
from cgsim.testing.systems import TINY, random_chain, random_simulator
from cgsim.units import UNITS

DATA = Path(__file__).parent / "stored"
PACKAGE = Path(__file__).parents[2] / "cgsim"
STORED = sorted(DATA.glob("checkpoint-v*.safetensors"))
CONFIGS = {
    "all parts": TINY,
    "no score": replace(TINY, score=None),
    "independent, lmax 2": replace(
        TINY, history=1, dynamics=replace(TINY.dynamics, lmax=2, noise="independent")
    ),
}


@pytest.fixture
def simulator() -> Simulator:
    return random_simulator([random_chain()])


@pytest.fixture
def stored(tmp_path: Path, simulator: Simulator) -> Path:
    return save_simulator(simulator, tmp_path / "simulator.safetensors")


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS.keys())
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_round_trip_is_bit_identical(tmp_path: Path, config: Any, dtype: torch.dtype) -> None:
    chain = random_chain()
    simulator = random_simulator([chain], config).to(dtype)
    found = load_simulator(save_simulator(simulator, tmp_path / "a.safetensors"))
    assert found.config == simulator.config
    assert found.atom_types == simulator.atom_types
    assert found.scales == simulator.scales
    assert found.dtype == dtype
    assert not found.training
    batch = simulator.windows([chain])[[2, 5]]
    residual = torch.randn(12, 3)
    expected = outputs(simulator, batch, residual)
    for key, value in outputs(found, batch, residual).items():
        assert torch.equal(value, expected[key]), key
    steps = [
        model.step(model.start(batch, torch.Generator().manual_seed(0))).pos
        for model in (simulator, found)
    ]
    assert torch.equal(*steps)


def test_header(tmp_path: Path, simulator: Simulator) -> None:
    provenance = Provenance(
        recipe={"method": "residues"}, training={"stride": 1}, data={"note": "Ångström"}
    )
    path = save_simulator(simulator, tmp_path / "a.safetensors", provenance=provenance)
    assert load_provenance(path) == provenance
    header = read_header(path)
    assert header["units"] == UNITS
    assert header["model"]["networks"]["dynamics"] == "Dynamics"
    assert header["format_version"] == FORMAT_VERSION
    assert header["cgsim_version"]


def test_only_parameters_are_stored(stored: Path, simulator: Simulator) -> None:
    """Constants follow from the configuration; names of e3nn's own may change."""
    with safe_open(str(stored), framework="pt") as file:
        names = set(file.keys())
    assert names == {name for name, _ in simulator.named_parameters()}


def test_failing_write_leaves_what_was_there(
    stored: Path, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = stored.read_bytes()

    def full(self: Path, data: bytes) -> int:
        raise OSError("disk full")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="disk full"):
        save_simulator(simulator, stored)
    monkeypatch.undo()
    assert stored.read_bytes() == before
    assert [path.name for path in stored.parent.iterdir()] == [stored.name]


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"none\.safetensors: no such checkpoint"):
        load_simulator(tmp_path / "none.safetensors")


def test_the_folder_of_a_training_is_answered_with_its_file(stored: Path) -> None:
    with pytest.raises(FileNotFoundError, match=rf"a folder; take {stored}"):
        read_simulator(stored.parent)


def test_a_name_like_none_is_answered_with_those_that_are_packaged() -> None:
    with pytest.raises(FileNotFoundError, match=r"polymr-mini: no such .*'polymer-mini'"):
        read_simulator("polymr-mini")


@pytest.mark.parametrize("size", [0, 5, 300, -4])
def test_truncated_file(stored: Path, size: int) -> None:
    stored.write_bytes(stored.read_bytes()[:size])
    with pytest.raises(ValueError, match=r"simulator\.safetensors: truncated, or not a safeten"):
        load_simulator(stored)


def test_pickle_is_refused(tmp_path: Path, simulator: Simulator) -> None:
    path = tmp_path / "model.pt"
    torch.save(simulator.state_dict(), path)
    with pytest.raises(ValueError, match=r"model\.pt: .*no pickles"):
        load_simulator(path)


def test_foreign_safetensors_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "bert.safetensors"
    for metadata in (None, {"format": "pt"}, {"cgsim": "[]"}, {"cgsim": '{"format": "other"}'}):
        save_file({"weight": torch.zeros(3)}, path, metadata=metadata)
        with pytest.raises(ValueError, match=r"bert\.safetensors: .*not a cgsim simulator"):
            load_simulator(path)


Change = Callable[[dict[str, Any], dict[str, torch.Tensor]], None]


def rewritten(path: Path, change: Change) -> Path:
    """The same file after a change of its header and weights in place."""
    header = read_header(path)
    with safe_open(str(path), framework="pt") as file:
        weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    change(header, weights)
    save_file(weights, path, metadata={"cgsim": json.dumps(header)})
    return path


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda h, w: h.update(format_version=FORMAT_VERSION + 1), r"format version .*upgrade"),
        (lambda h, w: h.pop("scales"), r"its header has no 'scales'"),
        (lambda h, w: h["model"].update(depth=3), r"model: unknown key 'depth'"),
        (lambda h, w: h["model"]["graph"].update(cutoff="x"), r"model\.graph\.cutoff: expected"),
        (lambda h, w: h["scales"].pop("step_scale"), r"scales: missing key 'step_scale'"),
        (lambda h, w: h["model"].update(score=None), r"do not fit .*first at 'score"),
        (lambda h, w: h["model"].update(history=3), r"do not fit the configuration"),
        (lambda h, w: w.pop("embedding.types.weight"), r"first at 'embedding\.types\.weight'"),
        (lambda h, w: w.update(extra=torch.zeros(1)), r"first at 'extra'"),
        (
            lambda h, w: w.update({"embedding.types.weight": torch.zeros(9, 4)}),
            r"first at 'embedding\.types\.weight'",
        ),
    ],
)
def test_bad_headers_and_weights(stored: Path, change: Change, message: str) -> None:
    rewritten(stored, change)
    with pytest.raises(ValueError, match=rf"simulator\.safetensors.*{message}"):
        load_simulator(stored)


def test_unchanged_rewrite_loads(stored: Path) -> None:
    """So that the refusals above are those of the changes."""
    load_simulator(rewritten(stored, lambda header, weights: None))


def test_another_network_is_refused(stored: Path) -> None:
    message = r"simulator\.safetensors: its embedding network is 'GraphEmbedding', not 'Composition"
    with pytest.raises(ValueError, match=message):
        load_simulator(stored, network=CompositionEmbedding)


def test_an_unknown_network_is_named_never_imported(stored: Path) -> None:
    rewritten(stored, lambda header, weights: header["model"]["networks"].update(dynamics="Mine"))
    message = r"no dynamics network 'Mine': .*--network package\.module:Mine"
    with pytest.raises(ValueError, match=rf"simulator\.safetensors: {message}"):
        load_simulator(stored)


def test_classes_of_simulators_that_were_stored_are_networks_now() -> None:
    settings = {"history": 2, "score": None}
    assert "networks" not in upgraded_model(settings)
    assert upgraded_model(settings, "PlainSimulator")["networks"] == {"dynamics": "PlainDynamics"}
    with pytest.raises(ValueError, match="made by Mine, a subclass of Simulator"):
        upgraded_model(settings, "Mine")


def test_settings_of_the_sampler_were_those_of_the_score_network() -> None:
    old = {"n_channels": 8, "n_hidden": 0, "spacing": 2.0, "start_level": 3.0, "present": True}
    new = upgraded_model({"score": old | {"farthest": 30.0, "guidance": 2.5, "order": 1}})
    assert new["score"] == {"n_channels": 8, "rho": 2.0, "current_distances": True}
    expected = {"rho": 2.0, "sigma_max": 3.0, "reject_beyond": 30.0, "guidance": 2.5}
    assert new["sampler"] == expected
    with pytest.raises(ValueError, match=r"model\.score\.order is no longer an option"):
        upgraded_model({"score": old | {"order": 2}})


def test_damaged_json(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save_file({"weight": torch.zeros(3)}, path, metadata={"cgsim": '{"format": '})
    with pytest.raises(ValueError, match=r"a\.safetensors: its header is damaged"):
        load_simulator(path)


# ------------------------------------------------------------ checkpoints of released versions


def make_checkpoint() -> ModuleType:
    """The script that made the stored checkpoints."""
    spec = importlib.util.spec_from_file_location("make_checkpoint", DATA / "make_checkpoint.py")
    if spec is None or spec.loader is None:
        raise ImportError("make_checkpoint.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_this_version_is_stored() -> None:
    assert DATA / f"checkpoint-v{checkpoint.FORMAT_VERSION}.safetensors" in STORED


@pytest.mark.parametrize("path", STORED, ids=lambda path: path.stem)
def test_stored_checkpoint_answers_as_it_did(path: Path) -> None:
    expected = json.loads(path.with_suffix(".json").read_text())
    found = make_checkpoint().answers(load_simulator(path))
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        torch.testing.assert_close(
            torch.tensor(found[key]), torch.tensor(value), rtol=1e-4, atol=1e-5, msg=key
        )
        assert torch.tensor(value).abs().max() > 1e-3
    assert load_provenance(path).recipe == {"method": "metis", "atoms_per_bead": 2}
    assert path.stat().st_size < 100_000


def test_no_pickle_is_ever_read() -> None:
    """`torch.load` only as ``weights_only=True``, to resume a run; no pickle module anywhere."""
    for file in PACKAGE.rglob("*.py"):
        source = file.read_text(encoding="utf-8")
        assert not re.search(r"^\s*(import|from) +(pickle|dill|joblib)", source, re.M), file
        assert not re.search(r"allow_pickle\s*=\s*True", source), file
        loads = [node for node in ast.walk(ast.parse(source)) if is_torch_load(node)]
        for call in loads:
            assert "weights_only=True" in ast.unparse(call), f"{file}: {ast.unparse(call)}"
        assert not (loads and file.name == "checkpoint.py")


def is_torch_load(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func).endswith("torch.load")
