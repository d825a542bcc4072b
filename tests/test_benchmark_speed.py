"""The speed benchmark: operations and bytes counted right, its parts and tables whole."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.speed import PARTS, main
from benchmarks.speed_floor import floor_seconds, operations, shares
from benchmarks.speed_md import correlation_time
from benchmarks.speed_tables import (
    ceiling_table,
    floor_table,
    md_speed_table,
    speed_table,
    training_speed_table,
)
from cgsim.testing import random_chain


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
    few += ["--training-batches", "1", "--device", "cpu", "--output", str(folder)]
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
    assert [len(own) for own in lines.values()] == [3, 3, 4, 3]
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
    assert set(PARTS) == {"rollout", "training", "floor", "md"}
    with pytest.raises(FileNotFoundError, match=r"no mapped MD .*--data"):
        main(["--only", "md", "--data", str(tmp_path / "none"), "--output", str(tmp_path)])
