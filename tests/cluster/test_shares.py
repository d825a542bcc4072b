"""Who does which part of the work: decided before any worker is started."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip("distributed")

from cgsim.cluster import Cluster, Job, RolloutCluster, run_jobs
from cgsim.cluster.jobs import claim_file, claimed, in_parts
from cgsim.cluster.local import Share, share_of
from cgsim.cluster.rollout import RolloutRun
from cgsim.hardware.devices import visible_gpus
from tests.cluster import jobs as cluster_jobs


def test_one_process_at_a_time_is_at_a_job(tmp_path: Path) -> None:
    file = claim_file(tmp_path, "job")
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys; from pathlib import Path; from cgsim.cluster.jobs import claimed\n"
            "with claimed(Path(sys.argv[1])): print('held', flush=True); input()",
            str(file),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    with (
        pytest.raises(ValueError, match="another process is at this job"),
        claimed(file, patience=0),
    ):
        pass
    holder.kill()
    holder.wait()
    with claimed(file, patience=5):
        pass


def test_bad_input_is_told_before_any_work() -> None:
    job = Job("twice", cluster_jobs.stumble, ())
    for jobs, said in (([], "no jobs"), ([job, job], "one name: twice")):
        with pytest.raises(ValueError, match=said):
            run_jobs(jobs, cluster=Cluster(workers=1))
    with pytest.raises(ValueError, match="not both"):
        Cluster(scheduler="tcp://127.0.0.1:1", workers=2)
    with pytest.raises(ValueError, match="workers must be at least 1"):
        Cluster(workers=0)
    with pytest.raises(ValueError, match="n_replicas must be at least 1"):
        RolloutRun(n_steps=1, n_replicas=0)
    with pytest.raises(ValueError, match="replicas_per_job must be at least 1"):
        RolloutCluster(replicas_per_job=0)


def test_no_scheduler_at_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cgsim.cluster.workers.CONNECT_SECONDS", 0.3)
    job = Job("job", cluster_jobs.stumble, ())
    with pytest.raises(OSError, match=r"no Dask scheduler at tcp://127\.0\.0\.1:1"):
        run_jobs([job], cluster=Cluster(scheduler="tcp://127.0.0.1:1"))


def test_without_dask_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("portions", "workers"):
        monkeypatch.setattr(f"cgsim.cluster.{module}.find_spec", lambda name: None)
    job = Job("job", cluster_jobs.stumble, ())
    with pytest.raises(ValueError, match=r"cgsim\[cluster\]"):
        run_jobs([job], cluster=Cluster(workers=2))
    assert not Cluster().is_wanted(10**4)


def test_many_molecules_are_shared_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [Cluster().is_wanted(n) for n in (1, 200, 201)] == [False, False, True]
    assert Cluster(workers=1).is_wanted(1)
    assert Cluster(scheduler="tcp://host:8786").is_wanted(1)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    assert not Cluster().is_wanted(201)  # one GPU does better with all of them at once


def test_every_worker_has_a_gpu_and_cores_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert visible_gpus() == ["0", "1"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,GPU-5a")
    assert visible_gpus() == ["3", "GPU-5a"]
    cores: list[list[int]] = []
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: {0, 1, 2, 3})
    monkeypatch.setattr("os.sched_setaffinity", lambda pid, share: cores.append(share))
    gpus = []
    for name in range(3):
        Share(3, ["3", "GPU-5a"]).setup(SimpleNamespace(name=name))
        gpus.append(os.environ["CUDA_VISIBLE_DEVICES"])
    assert gpus == ["3", "GPU-5a", "3"]
    assert cores == [[0, 3], [1], [2]]


def test_shares_of_a_machine() -> None:
    shares = [share_of([0, 1, 4, 5, 6], index, 2) for index in range(2)]
    assert shares == [[0, 4, 6], [1, 5]]
    assert [share_of([3, 4], index, 3) for index in range(3)] == [[3], [4], [3]]
    assert in_parts(range(5), 2) == [[0, 1], [2, 3], [4]]


def test_portions_do_not_depend_on_the_workers() -> None:
    for cluster in (RolloutCluster(workers=1), RolloutCluster(workers=64)):
        assert [cluster.portion(n) for n in (1, 16, 17, 200, 10**4)] == [1, 1, 2, 13, 32]
        assert [cluster.portion(10**4, n_replicas=n) for n in (8, 32, 1000)] == [4, 1, 1]
        assert [cluster.replica_portion(n) for n in (1, 64, 1000)] == [32, 32, 63]
    assert Cluster(molecules_per_job=5).portion(2) == 5
    assert RolloutCluster(replicas_per_job=3).replica_portion(1000) == 3
