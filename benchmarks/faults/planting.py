"""Faults as data, and a copy of the repository in which they are planted one at a time.

A list is a TOML file of tables ``[[file]]``: the ``path`` of a file, the ``tests`` that touch it,
and ``faults`` of three or four strings each: what is true, the text that makes it so, the text that
does not, and where no test can notice why that changes no figure.
"""

import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[2]
LISTS = Path(__file__).parent
TIMEOUT = 900.0  # s; of the tests of one fault
_PARTS = ("cgsim", "tests", "benchmarks", "docs", "examples", "pyproject.toml", "README.md")
_TESTS_FAILED = 1  # what pytest ends with


@dataclass(frozen=True)
class Fault:
    """A change of one place of a file after which something is no longer true.

    Parameters
    ----------
    part
        Name of the list.
    path
        The file, from the root of the repository.
    truth
        What is true without it.
    old, new
        Text that is there once, and what comes in its place.
    tests
        Files and folders of tests, those first that are likely to notice.
    harmless
        Why it changes no figure, if no test can notice it; else empty.
    """

    part: str
    path: str
    truth: str
    old: str
    new: str
    tests: tuple[str, ...]
    harmless: str = ""


class Outcome(StrEnum):
    """What became of a planted fault."""

    NOTICED = "noticed"
    HUNG = "hung"  # which is noticed too
    SURVIVED = "survived"


def part_names() -> list[str]:
    """Names of all lists."""
    return sorted(file.stem for file in LISTS.glob("*.toml"))


def read_faults(parts: Sequence[str]) -> list[Fault]:
    """The faults of some lists.

    Raises
    ------
    ValueError
        Naming an entry that is none.
    """
    return [fault for part in parts for fault in _faults_of(part)]


def _faults_of(part: str) -> Iterator[Fault]:
    content = tomllib.loads((LISTS / f"{part}.toml").read_text(encoding="utf-8"))
    for table in content["file"]:
        path, tests = table["path"], tuple(table["tests"])
        for entry in table["faults"]:
            if len(entry) not in (3, 4):
                raise ValueError(f"{part}.toml: {path}: three or four strings, not {entry}")
            truth, old, new, *harmless = entry
            yield Fault(part, path, truth, old, new, tests, *harmless)


class Copy:
    """A copy of the repository, as it lies in the working tree.

    Parameters
    ----------
    root
        Of the copy.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    @contextmanager
    def with_fault(self, fault: Fault) -> Iterator[None]:
        """The copy with a fault planted, for a while.

        Raises
        ------
        ValueError
            If the old text is not there once.
        """
        file = self.root / fault.path
        sound = file.read_text(encoding="utf-8")
        if (n := sound.count(fault.old)) != 1:
            raise ValueError(f"{fault.path}: {fault.truth}: the old text is there {n} times")
        file.write_text(sound.replace(fault.old, fault.new), encoding="utf-8")
        try:
            yield
        finally:
            file.write_text(sound, encoding="utf-8")

    def run_tests(self, tests: Sequence[str]) -> Outcome:
        """Run tests until one fails.

        Raises
        ------
        RuntimeError
            If they cannot be run.
        """
        threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
        try:
            done = subprocess.run(
                command,
                cwd=self.root,
                env=os.environ | threads | {"PYTHONPATH": str(self.root)},
                capture_output=True,
                text=True,
                timeout=TIMEOUT,
            )
        except subprocess.TimeoutExpired:
            return Outcome.HUNG
        if done.returncode not in (0, _TESTS_FAILED):
            raise RuntimeError(f"pytest {' '.join(tests)}: {done.stdout[-2000:]}{done.stderr}")
        return Outcome.NOTICED if done.returncode else Outcome.SURVIVED

    def check_sound(self, faults: Sequence[Fault]) -> None:
        """Run the tests of faults that are not planted.

        Raises
        ------
        RuntimeError
            If one fails: then it would seem to notice any fault.
        """
        tests = sorted({test for fault in faults for test in fault.tests})
        if self.run_tests(tests) is not Outcome.SURVIVED:
            raise RuntimeError(f"tests fail without any fault, among {', '.join(tests)}")


@contextmanager
def copied() -> Iterator[Copy]:
    """A copy of what tests need, removed at the end."""
    with TemporaryDirectory(prefix="cgsim-faults-") as folder:
        root = Path(folder)
        for name in _PARTS:
            source = ROOT / name
            if source.is_dir():
                ignored = shutil.ignore_patterns("__pycache__")
                shutil.copytree(source, root / name, ignore=ignored)
            elif source.exists():
                shutil.copy(source, root / name)
        yield Copy(root)
