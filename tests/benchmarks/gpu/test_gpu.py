"""The benchmark of a GPU: dry on a bare machine, resumed after a kill, and no row takes another."""

import json
import os
import subprocess
import sys
import time
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from benchmarks.gpu import __main__ as command
from benchmarks.gpu import trials
from benchmarks.gpu.ledger import (
    DONE,
    FAILED,
    LEFT_OUT,
    RUNNING,
    UNFINISHED,
    Ledger,
    LeftOutError,
    Row,
    UnfinishedError,
    need,
)
from benchmarks.gpu.trials import read_trainings
from benchmarks.gpu.watch import busy_percent, watched
from tests.absent import without

ROOT = Path(__file__).parents[3]
# What reads atoms, runs MD, searches neighbours, judges and draws.
ABSENT = ("mdtraj", "openmm", "pymetis", "vesin", "deeptime", "PeptideBuilder", "jsonargparse")


def rows_in(folder: Path) -> dict[str, dict[str, Any]]:
    stored = json.loads((folder / "rows.json").read_text(encoding="utf-8"))
    return {row["name"]: row for row in stored["rows"]}


# All but two processes: see tests/training and tests/examples for those.
PARTS = [name for name in command.PARTS if name != "processes"]


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """The process that makes rows, in an interpreter with little more than PyTorch."""
    (folder / "site").mkdir(parents=True)
    (folder / "site" / "sitecustomize.py").write_text(without(ABSENT), encoding="utf-8")
    path = [str(folder / "site"), str(ROOT)]
    return subprocess.run(
        [sys.executable, "-m", "benchmarks.gpu", "--dry", "--no-compile", "--rows", *words],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(path)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_row_is_made_or_left_out_on_a_bare_machine(tmp_path: Path) -> None:
    done = run(tmp_path, "--output", str(tmp_path / "out"), "--only", *PARTS)
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    rows = rows_in(tmp_path / "out")
    options = command.settled(
        command.make_parser().parse_args(["--dry", "--no-compile", "--only", *PARTS])
    )
    assert list(rows) == [row.name for row in command.rows_of(options)]
    assert {row["state"] for row in rows.values()} == {DONE, LEFT_OUT}
    left_out = {name: row["reason"] for name, row in rows.items() if row["state"] == LEFT_OUT}
    assert set(left_out) == {
        "check/slots/9",
        "check/compiled",
        "check/no-waiting",
        "product/cuEquivariance",
        "samples/learned",
        "samples/OpenMM CUDA",
        "samples/OpenMM OpenCL",
    }
    assert "mdtraj" in left_out["samples/learned"]
    assert "openmm" in left_out["samples/OpenMM CUDA"]


# ------------------------------------------------------------------ rows that fail


def options_for(folder: Path) -> Namespace:
    words = ["--dry", "--no-compile", "--device", "cpu", "--output", str(folder)]
    return command.settled(command.make_parser().parse_args(words))


class Part:
    """Rows of a test."""

    def __init__(self, **rows: Any) -> None:
        self.made = rows

    def rows(self, options: Namespace) -> list[Row]:
        return [Row(name, make, seconds=2.0) for name, make in self.made.items()]


def fails() -> Mapping[str, Any]:
    raise ArithmeticError("another number")


def left_out() -> Mapping[str, Any]:
    raise LeftOutError("no such thing here")


def test_a_row_that_fails_takes_no_other_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = options_for(tmp_path)
    part = Part(one=lambda: {"value": float("nan")}, two=fails, three=left_out, four=dict)
    monkeypatch.setattr(command, "PARTS", {"check": part})
    command.make_rows(options, ends=time.time() + 60)
    rows = rows_in(tmp_path)
    assert [row["state"] for row in rows.values()] == [DONE, FAILED, LEFT_OUT, DONE]
    assert rows["one"]["values"] == {"value": None}  # JSON has no word for it
    assert rows["two"]["reason"] == "ArithmeticError: another number"
    assert rows["three"]["reason"] == "no such thing here"
    command.make_rows(options, ends=time.time() + 60)  # nothing is made twice
    assert rows_in(tmp_path) == rows


def test_the_result_holds_all_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And one that failed is told by the exit code."""
    monkeypatch.setattr(command, "PARTS", {"check": Part(one=dict, two=fails)})
    monkeypatch.setattr(
        command, "oversee", lambda options, _, ends: command.make_rows(options, ends)
    )
    with pytest.raises(SystemExit, match="1"):
        command.main(["--dry", "--only", "check", "--output", str(tmp_path)])
    result = json.loads((tmp_path / "speed_gpu_dry.json").read_text(encoding="utf-8"))
    assert [row["state"] for row in result["metrics"]["rows"]] == [DONE, FAILED]
    monkeypatch.setattr(command, "PARTS", {"check": Part(one=fails, two=dict)})
    command.main(["--dry", "--only", "check", "--output", str(tmp_path), "--again"])
    rows = rows_in(tmp_path)
    assert [row["state"] for row in rows.values()] == [DONE, DONE]  # what was done is kept


def test_no_row_is_begun_when_time_is_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "PARTS", {"check": Part(one=dict, two=dict)})
    command.make_rows(options_for(tmp_path), ends=time.time() - 1)
    assert not (tmp_path / "rows.json").exists()


def crash() -> None:
    os._exit(139)


def hang() -> None:
    time.sleep(600)


@pytest.mark.parametrize(("harm", "reason"), [(crash, "code 139"), (hang, "longer than 2 s")])
def test_a_process_that_crashes_or_hangs_loses_its_row_alone(
    harm: Any, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rows after it are made by another process."""
    options = options_for(tmp_path)
    part = Part(one=dict, two=harm, three=dict)
    monkeypatch.setattr(command, "PARTS", {"check": part})

    class Forked:
        """Rows made by a process that is forked: it has the rows of this test."""

        def __init__(self, *_: Any, **__: Any) -> None:
            self.returncode: int | None = None
            self.pid = os.fork()
            if self.pid == 0:
                command.make_rows(options, ends=time.time() + 60)
                os._exit(0)

        def poll(self) -> int | None:
            if self.returncode is None:
                pid, status = os.waitpid(self.pid, os.WNOHANG)
                self.returncode = os.waitstatus_to_exitcode(status) if pid else None
            return self.returncode

        def terminate(self) -> None:
            os.kill(self.pid, 15)

        def wait(self, timeout: float | None = None) -> int:
            _, status = os.waitpid(self.pid, 0)
            self.returncode = os.waitstatus_to_exitcode(status)
            return self.returncode

    monkeypatch.setattr(command.subprocess, "Popen", Forked)
    monkeypatch.setattr(command, "POLL", 0.05)
    command.oversee(options, [], ends=time.time() + 60)
    rows = rows_in(tmp_path)
    assert [row["state"] for row in rows.values()] == [DONE, FAILED, DONE]
    assert reason in rows["two"]["reason"]


# ------------------------------------------------------------------ the ledger


def test_what_was_cut_off_is_made_again_and_what_is_unfinished_goes_on(tmp_path: Path) -> None:
    file = tmp_path / "rows.json"
    ledger = Ledger(file, {"dry": True})
    with pytest.raises(KeyboardInterrupt):
        ledger.make(Row("cut off", _interrupted))
    known = Ledger(file, {"dry": True})
    assert known.running() is not None
    assert not known.is_final("cut off")

    def unfinished() -> Mapping[str, Any]:
        raise UnfinishedError("time was up", {"steps": [3]})

    entry = known.make(Row("cut off", unfinished))
    assert (entry.state, entry.reason, entry.values) == (UNFINISHED, "time was up", {"steps": [3]})
    assert not Ledger(file, {"dry": True}).is_final("cut off")
    assert known.make(Row("cut off", dict)).state == DONE


def _interrupted() -> Mapping[str, Any]:
    raise KeyboardInterrupt


def test_while_a_row_is_made_the_file_says_so(tmp_path: Path) -> None:
    seen = {}

    def look() -> Mapping[str, Any]:
        seen.update(rows_in(tmp_path)["one"])
        return {}

    Ledger(tmp_path / "rows.json", {}).make(Row("one", look))
    assert seen["state"] == RUNNING


def test_rows_of_another_machine_are_not_gone_on_with(tmp_path: Path) -> None:
    Ledger(tmp_path / "rows.json", {"device": "one"}).make(Row("a", dict))
    with pytest.raises(ValueError, match=r"rows\.json: rows of other settings.*another folder"):
        Ledger(tmp_path / "rows.json", {"device": "another"})


def test_what_is_not_installed_is_named() -> None:
    need("torch", "numpy")
    with pytest.raises(LeftOutError, match="not installed here: no_such_package"):
        need("torch", "no_such_package")


# ------------------------------------------------------------------ trial trainings


def test_a_training_that_is_stopped_goes_on(tmp_path: Path) -> None:
    options = options_for(tmp_path)
    settings = {"training": {"n_steps": 6, "steps_per_epoch": 3, "n_warmup": 1, "batch_size": 2}}
    with pytest.raises(UnfinishedError, match="goes on") as stopped:
        trials.train("short", {**settings, "minutes": 0.0}, options)
    assert stopped.value.values["steps"] == [2]
    assert trials.train("short", settings, options)["steps"] == [2, 5]


def test_trainings_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "trainings.json"
    file.write_text(json.dumps({"a": {"data": "mapped", "minutes": 3}}))
    assert read_trainings(file)["a"]["data"] == str(tmp_path / "mapped")
    for trial, said in (({"data": "x", "steps": 3}, "unknown.*steps"), ({}, "no 'data'")):
        file.write_text(json.dumps({"a": trial}))
        with pytest.raises(ValueError, match=rf"trainings\.json: a: {said}"):
            read_trainings(file)


def test_of_a_cpu_no_usage_is_known() -> None:
    with watched("cpu") as usage:
        pass
    assert set(usage.values().values()) == {None}
    assert busy_percent(lambda: None, "cpu") is None
