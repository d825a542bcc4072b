"""The speed benchmark: operations and bytes counted right, its parts and tables whole."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from benchmarks.speed.__main__ import PARTS, main, make_parser
from benchmarks.speed.floor import floor_seconds, operations, shares
from benchmarks.speed.md import correlation_time
from benchmarks.speed.melt import random_melt
from benchmarks.speed.memory import cases, memory
from benchmarks.speed.memory_case import TASKS, held_bytes, measure, peak_bytes
from benchmarks.tables.speed import (
    ceiling_table,
    floor_table,
    large_table,
    md_speed_table,
    memory_table,
    precision_table,
    speed_table,
    training_speed_table,
)
from cgsim.testing.systems import random_chain


def test_operations_of_a_product_and_a_sum() -> None:
    a, b = torch.rand(8, 16), torch.rand(16, 4)
    counted = operations(lambda: (a @ b).T + 1.0)
    product, added = 4 * (8 * 16 + 16 * 4 + 8 * 4), 4 * 2 * 8 * 4
    assert counted == {
        "flops": 2 * 8 * 16 * 4,
        "bytes": product + added,
        "product_bytes": product,
    }


def test_the_floor_is_the_longer_time() -> None:
    known = {"gemm_gflops": 10.0, "copy_gb_per_second": 5.0}
    assert floor_seconds({"flops": 2e10, "product_bytes": 5e9}, known) == 2.0
    assert floor_seconds({"flops": 1e9, "product_bytes": 20e9}, known) == 4.0


def test_shares_add_up() -> None:
    a = torch.rand(64, 64)
    found = shares(lambda: torch.linalg.cholesky(a @ a.T + torch.eye(64)).exp().clone())
    assert sum(found.values()) == pytest.approx(100)
    assert all(share > 0 for share in found.values())


def test_samples_add_up_not_times() -> None:
    random = np.random.default_rng(0)
    decay = np.exp(-1 / np.array([5.0, 20.0]))
    chains = []
    for name, rate in zip("ab", decay, strict=True):
        size = np.empty(40_000)
        size[0] = 0.0
        for frame in range(1, len(size)):
            size[frame] = rate * size[frame - 1] + random.normal() * np.sqrt(1 - rate**2)
        pos = np.zeros((len(size), 2, 3))
        pos[:, 1, 0] = np.sqrt(10 + size)
        chains.append(replace(random_chain(2, name=name), pos=pos, frame_interval=3.0))
    expected = 3.0 / np.mean([1 / 5, 1 / 20])
    assert correlation_time(chains) == pytest.approx(expected, rel=0.1)


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, object]]:
    folder = tmp_path_factory.mktemp("speed")
    few = ["--beads", "17", "--replicas", "1", "--seconds", "0.01", "--ceiling-size", "64"]
    few += [
        "--training-batches",
        "1",
        "--trajectories",
        "1",
        "3",
        "--device",
        "cpu",
        "--output",
        str(folder),
    ]
    main(["--only", "training", *few])
    main(["--only", "rollout", "floor", *few])
    result = json.loads((folder / "speed_cpu.json").read_text())
    return dict(result["metrics"])


def test_parts_are_kept_and_tables_made(measured: dict[str, dict[str, object]]) -> None:
    assert list(measured) == ["training", "rollout", "floor"]
    assert str(measured["floor"]["command"]).startswith(
        "python -m benchmarks.speed --only floor --beads 17 --replicas 1 --seconds 0.01 "
    )
    lines = {
        table: table(measured[part]).splitlines()
        for table, part in {
            speed_table: "rollout",
            training_speed_table: "training",
            floor_table: "floor",
            ceiling_table: "floor",
        }.items()
    }
    assert [len(own) for own in lines.values()] == [3, 4, 4, 3]
    assert lines[speed_table][2].startswith("| 17 | 1 | ")
    assert lines[speed_table][2].count("–") == 2  # nothing is compiled at 17 beads
    for own in lines.values():
        assert len({line.count("|") for line in own}) == 1


def test_table_against_md() -> None:
    row = {"time_per_second": 600.0, "time_per_day": 5.2e7, "correlation_time": 70.0}
    row["samples_per_second"] = 4.3
    fast = row | {"time_per_second_over_md": 20.0, "samples_per_second_over_md": 21.0}
    table = md_speed_table({"rows": {"OpenMM": row, "learned": fast}}).splitlines()
    assert table[2] == "| OpenMM | 600 | 52,000,000 | 70 | 4.3 | – | – |"
    assert table[3].endswith("| 20 | 21 |")


def test_md_must_be_there(tmp_path: Path) -> None:
    others = {"rollout", "training", "floor", "memory", "large", "small", "busy", "windows"}
    needs = {"md": "data", "md-paper": "data", "precision": "data", "md-peptides": "peptide-data"}
    assert set(PARTS) == others | needs.keys()
    for part, option in needs.items():
        with pytest.raises(FileNotFoundError, match=rf"no mapped MD .*--{option}"):
            main(["--only", part, f"--{option}", str(tmp_path / "none"), "--output", str(tmp_path)])


# ------------------------------------------------------------------ memory


def test_a_peak_is_seen_after_it_is_over() -> None:
    before = peak_bytes("cpu")
    size = held_bytes("cpu") + 2**27
    large = np.ones(size, dtype=np.uint8)
    del large
    assert peak_bytes("cpu") >= max(before, size)


@pytest.mark.parametrize("task", list(TASKS))
def test_memory_of_a_case(task: str) -> None:
    case = {"task": task, "n_beads": 5, "size": 2, "n_steps": 1, "device": "cpu"}
    row = measure(case)
    assert row == row | case
    assert row["program_bytes"] > 0
    assert row["peak_bytes"] >= 0


def test_cases_and_their_table() -> None:
    words = ["--beads", "9", "100", "--memory-replicas", "40", "1000", "--device", "cpu"]
    chosen = cases(make_parser().parse_args(words))
    assert [tuple(case[name] for name in ("task", "n_beads", "size")) for case in chosen] == [
        *(("training", n_beads, 64) for n_beads in (9, 100)),
        *(("rollout", n_beads, size) for n_beads, size in ((9, 40), (9, 1000), (100, 40))),
        *(("one_batch", n_beads, size) for n_beads, size in ((9, 40), (9, 1000), (100, 40))),
        *[("rollout", 9, 40)] * 2,
    ]
    rows = [case | {"peak_bytes": 1e6 * number} for number, case in enumerate(chosen, 1)]
    table = memory_table({"rows": rows}).splitlines()[2:]
    assert table[0] == "| training | 9 | 64 | 2 | 1 | – |"
    assert table[3] == "| roll-out, into files | 9 | 1,000 | 2 | 4 | 7 |"
    assert table[-1] == "| roll-out, into files | 9 | 40 | 2,000 | 10 | 6 |"
    assert len(table) == 7


def test_a_failed_case_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "subprocess.run", lambda *words, **settings: SimpleNamespace(returncode=1, stderr="killed")
    )
    with pytest.raises(RuntimeError, match=r"training.*killed"):
        memory(make_parser().parse_args(["--beads", "5", "--device", "cpu"]))


def test_table_of_precisions() -> None:
    row = {"precision": "32-true", "nll": 1.25, "nll_difference": 0.0, "nll_difference_error": 0.0}
    row |= {"score": 1.0, "windows_per_second": 500.0}
    mixed = row | {"nll_difference": 1.2e-5, "nll_difference_error": 2e-6}
    table = precision_table({"rows": [row, mixed]}).splitlines()
    assert table[2] == "| `32-true` | 1.25000 | – | 1.0000 | 500 |"
    assert "± 0.000002" in table[3]


def test_a_melt_is_dense_and_whole() -> None:
    melt = random_melt(200, step=0.02, n_frames=4)
    assert melt.cell is not None
    assert 200 / np.linalg.det(melt.cell[0]) == pytest.approx(0.85)
    first, second = melt.edge_index
    assert len(first) == 180  # twenty chains of ten
    assert np.linalg.norm(melt.pos[0, first] - melt.pos[0, second], axis=1) == pytest.approx(
        1.0, abs=0.15
    )
    assert np.diff(melt.pos, axis=0).std() == pytest.approx(0.02, rel=0.05)
    assert np.array_equal(np.unique(melt.bead_index), np.arange(200))
    chain = melt.bead_index[melt.atom_bonds] // 10
    assert np.array_equal(*chain)
    assert np.array_equal(random_melt(200, step=0.02, n_frames=4).pos, melt.pos)


def test_large_systems_are_measured_in_processes_of_their_own(tmp_path: Path) -> None:
    main(["--only", "large", "--large-beads", "40", "--device", "cpu", "--output", str(tmp_path)])
    metrics = json.loads((tmp_path / "speed_cpu.json").read_text())["metrics"]["large"]
    assert [row["score"] for row in metrics["rows"]] == [False, True]
    for row in metrics["rows"]:
        assert 1 <= row["n_searches"] < row["n_steps"]
        assert row["peak_bytes"] > 1e8
    lines = large_table(metrics).splitlines()
    assert lines[2].startswith("| 40 | ")
    assert len({line.count("|") for line in lines}) == 1
