"""A process that reads damaged files, with a bound on its memory, and one that watches it."""

import multiprocessing
import resource
import shutil
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import psutil

from benchmarks.fuzz.oracles import compare, read
from benchmarks.fuzz.seeds import Seed

MEMORY = 3 * 2**30  # bytes above what the process has at its start
TIME_LIMIT = 5.0  # s of processor time; of the clock ten times that, on a loaded machine


@dataclass(frozen=True)
class Verdict:
    """What came of one file."""

    outcome: str
    detail: str


class Reader:
    """Reads files in a process of its own, which is started again after a crash or hang."""

    def __init__(self, home: Path, scratch: Path) -> None:
        self._home, self._scratch = home, scratch
        self._process: multiprocessing.process.BaseProcess | None = None

    def __call__(self, seed: Seed, content: bytes) -> Verdict:
        """Read one damaged file and compare it."""
        if self._process is None:
            self._start()
        self._pipe.send((seed, content))
        first = self._answer()
        if first.outcome != "read":
            return first
        second = self._answer()  # the other reader's crash is not ours
        if second.outcome in ("crash", "hang"):
            return Verdict("unchecked", f"MDAnalysis: {second.outcome}")
        return second

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._process = None

    def _start(self) -> None:
        context = multiprocessing.get_context("fork")  # what is imported is there at once
        self._pipe, end = context.Pipe()
        self._process = context.Process(
            target=_serve, args=(end, self._home, self._scratch), daemon=True
        )
        self._process.start()
        end.close()
        self._watched = psutil.Process(self._process.pid)

    def _answer(self) -> Verdict:
        begin, used = time.monotonic(), self._processor_time()
        while not self._pipe.poll(0.5):
            too_long = time.monotonic() - begin > 10 * TIME_LIMIT
            if too_long or self._processor_time() - used > TIME_LIMIT:
                self.close()
                return Verdict("hang", f"over {TIME_LIMIT:g} s")
        try:
            answer: Verdict = self._pipe.recv()
        except EOFError:
            code = None
            if self._process is not None:
                self._process.join(5)
                code = self._process.exitcode
            self.close()
            return Verdict("crash", f"the process ended with {code}")
        return answer

    def _processor_time(self) -> float:
        try:
            times = self._watched.cpu_times()
        except psutil.Error:
            return 0.0
        return float(times.user + times.system)


def _serve(pipe: Connection, home: Path, scratch: Path) -> None:
    limit = psutil.Process().memory_info().vms + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    while True:
        seed, content = pipe.recv()
        folder = scratch / "mutated"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        path = folder / seed.name
        path.write_bytes(content)
        try:
            found = read(seed, path, home)
        except BaseException as error:  # whatever it is, it should not have been raised
            pipe.send(Verdict("crash", f"{type(error).__name__}: {error}"[:300]))
            continue
        if "refused" in found:
            pipe.send(Verdict("refused", found["refused"][:200]))
            continue
        pipe.send(Verdict("read", ""))
        pipe.send(Verdict(*compare(seed, path, found)))
