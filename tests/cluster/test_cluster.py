"""Jobs on a real local cluster: shared, followed, failed by name, and done in spite of kills."""

import os
import signal
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("distributed")

from distributed import Client

import cgsim
from cgsim.cluster import Cluster, FailedJobsError, Job, RolloutCluster, run_jobs
from cgsim.cluster.local import local_client
from cgsim.cluster.md import generate_shared
from cgsim.cluster.rollout import Batch, RolloutRun, roll_out
from cgsim.cluster.scores import RowPaths, score_into, score_paths
from cgsim.data.scales import measure
from cgsim.evaluate import Comparison
from cgsim.evaluate.judge import Rows, score
from cgsim.mapping.store import save_mapped
from cgsim.md import (
    PeptideRun,
    PolymerRun,
    build_peptide,
    generate_peptides,
    generate_polymers,
    sample_chains,
)
from cgsim.model.checkpoint import save_simulator
from cgsim.model.simulator import Simulator
from cgsim.rollout.simulate import Failure, Rollout
from cgsim.testing.systems import ATOM_TYPES, TINY, random_chain
from tests.cluster import jobs as cluster_jobs

CHAINS = [random_chain(6, n_frames=30, seed=seed, name=f"c{seed}") for seed in range(3)]
RUN = PolymerRun(duration=8.0, equilibration=1.0, platform="Reference")


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    """Two workers, as `--workers 2` starts them."""
    with local_client(2, n_jobs=2) as client:
        yield client


@pytest.fixture(scope="module")
def cluster(client: Client) -> Cluster:
    """The same two as a scheduler that runs already."""
    return Cluster(scheduler=client.scheduler_info()["address"])


@pytest.fixture(scope="module")
def mapped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with three mapped trajectories."""
    folder = tmp_path_factory.mktemp("mapped")
    for chain in CHAINS:
        save_mapped(chain, folder / f"{chain.name}.cg")
    return folder


@pytest.fixture(scope="module")
def simulator(mapped: Path) -> Path:
    """A stored simulator, untrained."""
    scales = measure(CHAINS, stride=1)
    path = mapped.parent / "simulator.safetensors"
    save_simulator(Simulator(TINY, atom_types=ATOM_TYPES, scales=scales), path)
    return path


def contents(folder: Path, pattern: str) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.glob(pattern))}


def pids(client: Client) -> set[int]:
    return set(client.run(os.getpid).values())


# ------------------------------------------------------------------ jobs


def test_results_are_in_the_order_of_the_jobs(cluster: Cluster, tmp_path: Path) -> None:
    names = [f"job{i}" for i in range(7)]
    jobs = [Job(name, cluster_jobs.append_line, (tmp_path / name, name)) for name in names]
    assert run_jobs(jobs, cluster=cluster) == [name.upper() for name in names]
    assert all((tmp_path / name).read_text() == f"{name}\n" for name in names)


def test_jobs_that_fail_are_named_and_stop_no_other(cluster: Cluster, tmp_path: Path) -> None:
    jobs = [
        Job("bad", cluster_jobs.fail, ("no such bead",)),
        *(Job(n, cluster_jobs.append_line, (tmp_path / n, n)) for n in ("good", "fine")),
        Job("worse", cluster_jobs.stumble, ()),
    ]
    with pytest.raises(FailedJobsError) as caught:
        run_jobs(jobs, cluster=cluster)
    assert set(caught.value.failures) == {"bad", "worse"}
    said = str(caught.value)
    assert "2 of 4 jobs failed, 2 are done" in said
    assert "bad: no such bead" in said
    assert "worse: KeyError" in said
    assert {path.name for path in tmp_path.iterdir()} == {"good", "fine"}


def test_a_job_that_kills_every_worker_is_given_up_by_name(
    client: Client, cluster: Cluster, tmp_path: Path
) -> None:
    def allow(n_deaths: int) -> None:
        client.run_on_scheduler(
            lambda dask_scheduler: setattr(dask_scheduler, "allowed_failures", n_deaths)
        )

    allow(0)
    jobs = [
        Job("deadly", cluster_jobs.die, ()),
        Job("good", cluster_jobs.append_line, (tmp_path / "good", "good")),
    ]
    try:
        with pytest.raises(FailedJobsError, match="deadly: every worker that tried it died"):
            run_jobs(jobs[:1], cluster=cluster)
    finally:
        allow(3)
    assert run_jobs(jobs[1:], cluster=cluster) == ["GOOD"]


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """Interrupts as in a terminal: what a shell starts in the background ignores them."""
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, handler)


def test_an_interrupted_command_goes_on(cluster: Cluster, tmp_path: Path, ctrl_c: None) -> None:
    names = [f"job{i}" for i in range(8)]
    slow = [Job(n, cluster_jobs.append_line, (tmp_path / n, n, 0.5)) for n in names]
    alarm = threading.Timer(0.8, lambda: os.kill(os.getpid(), signal.SIGINT))
    alarm.start()
    with pytest.raises(KeyboardInterrupt):
        run_jobs(slow, cluster=cluster)
    assert run_jobs(slow, cluster=cluster) == [name.upper() for name in names]


def test_workers_have_their_share_and_are_on_loopback(client: Client) -> None:
    shares = client.run(lambda: sorted(os.sched_getaffinity(0)), on_error="raise").values()
    assert all(share for share in shares)
    if len(os.sched_getaffinity(0)) > 1:
        assert not set.intersection(*map(set, shares))
    addresses = [*client.scheduler_info()["workers"], client.scheduler_info()["address"]]
    assert all(address.startswith("tcp://127.0.0.1:") for address in addresses)


# ------------------------------------------------------------------ MD


def test_md_of_a_killed_worker_is_done_again_exactly(
    client: Client, cluster: Cluster, tmp_path: Path
) -> None:
    chains = sample_chains("I", size="tiny", n_chains=4, seed=0)
    before = pids(client)
    files = generate_shared(
        cluster_jobs.generate_and_die_once, chains, tmp_path / "killed", RUN, cluster=cluster
    )
    assert (tmp_path / "killed" / "died").exists()
    assert pids(client) != before
    assert [file.name for file in files] == [f"{chain.name}-r0.xtc" for chain in chains]
    for chain in chains:
        cluster_jobs.generate_in_short_chunks([chain], tmp_path / "whole", RUN)
    assert len(contents(tmp_path / "whole", "*.xtc")) == 4
    for pattern in ("*.xtc", "*.pdb"):
        assert contents(tmp_path / "killed", pattern) == contents(tmp_path / "whole", pattern)


def test_md_goes_on_in_either_way(cluster: Cluster, tmp_path: Path) -> None:
    chains = sample_chains("I", size="tiny", n_chains=2, seed=0)
    generate_polymers(chains[:1], tmp_path, RUN)
    before = contents(tmp_path, "*.xtc")
    generate_shared(generate_polymers, chains, tmp_path, RUN, cluster=cluster)
    assert before.items() < contents(tmp_path, "*.xtc").items()
    after = contents(tmp_path, "*.xtc")
    generate_polymers(chains, tmp_path, RUN)
    assert contents(tmp_path, "*.xtc") == after


def test_peptides_travel(cluster: Cluster, tmp_path: Path) -> None:
    run = PeptideRun(duration=0.04, frame_interval=0.02, equilibration=0.0, platform="Reference")
    peptides = [build_peptide(letter) for letter in "GA"]
    files = generate_shared(generate_peptides, peptides, tmp_path / "far", run, cluster=cluster)
    assert [file.name for file in files] == ["G-r0.xtc", "A-r0.xtc"]
    for peptide in peptides:
        generate_peptides([peptide], tmp_path / "here", run)
    assert contents(tmp_path / "far", "*.xtc") == contents(tmp_path / "here", "*.xtc")


# ------------------------------------------------------------------ roll-outs


def test_a_roll_out_of_a_killed_worker_is_done_again_exactly(
    client: Client, cluster: Cluster, mapped: Path, simulator: Path, tmp_path: Path
) -> None:
    run = RolloutRun(n_steps=12, n_replicas=2)
    batches = [
        Batch(simulator, (mapped / f"{name}.cg",), tmp_path / kind / name, run, "cpu")
        for kind in ("killed", "whole")
        for name in ("c0", "c1")
    ]
    before = pids(client)
    run_jobs(
        [
            Job(batch.output.name, cluster_jobs.roll_out_and_die_once, (batch, tmp_path / "died"))
            for batch in batches[:2]
        ],
        cluster=cluster,
    )
    assert (tmp_path / "died").exists()
    assert pids(client) != before
    for batch in batches[2:]:
        batch()
    whole = {n: contents(tmp_path / "whole" / n, "*.xtc") for n in ("c0", "c1")}
    assert [len(files) for files in whole.values()] == [2, 2]
    assert {n: contents(tmp_path / "killed" / n, "*.xtc") for n in ("c0", "c1")} == whole


def test_a_shared_roll_out_is_read_and_scored_like_any(
    cluster: Cluster, mapped: Path, simulator: Path, tmp_path: Path
) -> None:
    run = RolloutRun(n_steps=10, n_replicas=3)
    shared = RolloutCluster(scheduler=cluster.scheduler, replicas_per_job=2, device="cpu")
    output = tmp_path / "rollout"
    result = roll_out(simulator, [mapped], output, run, cluster=shared)
    assert len(result.files) == 9
    ensembles = cgsim.read_ensembles([output])
    assert [ensemble.name for ensemble in ensembles] == ["c0", "c1", "c2"]
    for ensemble in ensembles:
        assert [len(xyz) for xyz in ensemble.xyz] == [10, 10, 10]
        first, second, third = ensemble.xyz
        assert not np.allclose(first, third)  # jobs have seeds of their own
        assert not np.allclose(second, third)

    before = contents(output, "*/*.xtc")
    longer = roll_out(simulator, [mapped], output, RolloutRun(12, 3), cluster=shared)
    assert longer.n_steps == 12
    after = contents(output, "*/*.xtc")
    assert all(after[name].startswith(before[name]) for name in before)

    with pytest.raises(ValueError, match=r"other molecules or portions \(c0\.0, c0\.1, c1\.0\)"):
        roll_out(simulator, [mapped], output, run, cluster=replace(shared, replicas_per_job=3))
    alone = tmp_path / "alone"
    Batch(simulator, (mapped,), alone, run, "cpu")()
    with pytest.raises(ValueError, match="roll-out of one process"):
        roll_out(simulator, [mapped], alone, run, cluster=shared)

    paths = RowPaths([mapped], [output], {"floor": [mapped]})
    read = {row: cgsim.read_ensembles([own]) for row, own in (("m", mapped), ("o", output))}
    alike = score(Rows(read["m"], read["o"], {"floor": read["m"]}))
    scores = score_into(paths, tmp_path / "scores.json", cluster=cluster)
    assert [m.name for m in scores.learned.molecules] == ["c0", "c1", "c2"]
    assert values(scores) == pytest.approx(values(alike), nan_ok=True)
    assert scores.red_lines == alike.red_lines
    assert scores.headline
    assert (tmp_path / "scores.json").exists()
    assert not (tmp_path / "scores.json.jobs").exists()


def test_a_roll_out_that_cannot_be_is_named(
    cluster: Cluster, mapped: Path, simulator: Path, tmp_path: Path
) -> None:
    odd = random_chain(6, n_frames=30, name="odd")
    odd = type(odd)(**{**vars(odd), "atom_type": ("Xx",) * len(odd.atom_type)})
    folder = save_mapped(odd, tmp_path / "odd.cg")
    shared = RolloutCluster(scheduler=cluster.scheduler, device="cpu")
    start = [mapped / "c0.cg", folder, mapped / "c1.cg"]
    with pytest.raises(FailedJobsError, match=r"odd: .*Xx") as caught:
        roll_out(simulator, start, tmp_path / "out", RolloutRun(4), cluster=shared)
    assert list(caught.value.failures) == ["odd"]
    assert {path.name for path in tmp_path.glob("out/*/*.xtc")} == {"c0-r0.xtc", "c1-r0.xtc"}


def test_stopped_replicas_are_named_after_their_folder(
    mapped: Path, simulator: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop_the_second(jobs: list[Job], **_settings: object) -> list[Rollout]:
        stopped = [[], [Failure("c0", 1, 3, "it exploded")], [], []]
        return [Rollout([], [], failures, 1.5, 4) for failures in stopped]

    monkeypatch.setattr("cgsim.cluster.rollout.run_jobs", stop_the_second)
    shared = RolloutCluster(workers=1, replicas_per_job=2)
    start = [mapped / "c0.cg", mapped / "c1.cg"]
    result = roll_out(simulator, start, tmp_path, RolloutRun(4, n_replicas=4), cluster=shared)
    assert [(f.name, f.replica) for f in result.failures] == [("c0.1/c0", 1)]
    assert (result.seconds, result.n_steps) == (6.0, 4)


# ------------------------------------------------------------------ scores


def values(comparison: Comparison) -> dict[str, float]:
    return {
        f"{row} {name}": estimate.value
        for row, score in comparison.rows.items()
        for name, estimate in score.summary.items()
    }


def test_scores_are_kept_until_their_files_change(
    cluster: Cluster, mapped: Path, tmp_path: Path
) -> None:
    for chain in CHAINS:
        save_mapped(chain.frames(5, 30), tmp_path / "learned" / f"{chain.name}.cg")
    paths, folder = RowPaths([mapped], [tmp_path / "learned"]), tmp_path / "jobs"
    first = score_paths(paths, cluster=cluster, folder=folder)
    times = {path.name: path.stat().st_mtime_ns for path in folder.glob("*.json")}
    assert set(times) == {"c0.json", "c1.json", "c2.json"}
    save_mapped(CHAINS[0].frames(0, 20), tmp_path / "learned" / "c0.cg", overwrite=True)
    second = score_paths(paths, cluster=cluster, folder=folder)
    changed = {
        path.name for path in folder.glob("*.json") if path.stat().st_mtime_ns != times[path.name]
    }
    assert changed == {"c0.json"}
    assert [m.n_frames for m in first.learned.molecules] == [25, 25, 25]
    assert [m.n_frames for m in second.learned.molecules] == [20, 25, 25]


def test_rows_of_other_molecules_are_refused(mapped: Path, tmp_path: Path) -> None:
    save_mapped(CHAINS[0], tmp_path / "c0.cg")
    with pytest.raises(ValueError, match="learned has molecules"):
        score_paths(RowPaths([mapped], [tmp_path]), cluster=Cluster(workers=1))
