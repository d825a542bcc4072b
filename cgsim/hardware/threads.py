"""CPU threads: as many as are fastest, on a machine that is shared."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import NamedTuple, TypeVar

import torch
from tqdm import tqdm

T = TypeVar("T")

ONE_THREAD_LIMIT = 5000  # beads of a batch below which more threads cost more than they give
EDGES_PER_THREAD = 1500  # of a batch in a compiled function, whose operations are larger

TRIAL_STEPS = 4  # that a number of threads is judged by, after one that is not counted,
MOST_TRIAL_STEPS = 16  # and up to so many
TRIAL_SECONDS = 0.04  # until they last so long: a time slice of another process is 4 ms
HOPELESS = 5.0  # times the time on one thread at which a trial of more ends at once
GAIN = 0.95  # of the time on one thread that more must stay below to be chosen
SLOWER = 1.4  # times what was measured at which a step counts as slow,
SLOW_STEPS = 3  # and so many in a row as a change of the machine
REST = 20.0  # times what the last trial lost is the time to the next,
REST_RANGE = 1.0, 60.0  # s, within these limits


class Threads(NamedTuple):
    """Threads of a kind.

    Attributes
    ----------
    number
        How many are in use.
    use
        Use another number of them.
    """

    number: Callable[[], int | None]
    use: Callable[[int | None], None]


TORCH = Threads(torch.get_num_threads, torch.set_num_threads)  # type: ignore[arg-type]


@contextmanager
def at_most_threads(n_threads: int) -> Iterator[None]:
    """Use so many threads, or fewer where PyTorch was given fewer."""
    before = torch.get_num_threads()
    torch.set_num_threads(min(n_threads, before))
    try:
        yield
    finally:
        torch.set_num_threads(before)


def cpu_threads(n_beads: int) -> AbstractContextManager[None]:
    """Use one thread for a batch of few beads, as many as PyTorch was given for a large one."""
    return at_most_threads(eager_threads(n_beads))


def eager_threads(n_beads: int) -> int:
    """Most threads for a batch of so many beads, whose operations run one by one."""
    return 1 if n_beads < ONE_THREAD_LIMIT else torch.get_num_threads()


def compiled_threads(n_edges: int) -> int:
    """Most threads for a compiled function of a batch of so many edges."""
    return min(max(1, n_edges // EDGES_PER_THREAD), torch.get_num_threads())


class MeasuredThreads:
    """Takes steps on one thread or on many, whichever is faster on this machine now.

    The threads of PyTorch wait for one another in a loop that keeps a core busy. Where another
    process holds a core, two of them can land on the other, and each waits there for as long as
    the scheduler leaves it: a step of 4 ms then takes a second. So both are tried in the first
    steps and again from time to time, the less often the more a trial costs; and at once when steps
    have become slow. Steps that are equal bit by bit on any number of threads stay so.

    Parameters
    ----------
    most
        Threads that may be used; with 1 nothing is measured.
    label
        What steps, for the line that says how many threads were chosen.
    kind
        Whose threads.
    clock
        s.

    Attributes
    ----------
    chosen
        Threads of the steps between two trials.
    seconds
        Of a step on one thread and on ``most``, as last measured.
    """

    def __init__(
        self,
        most: int,
        *,
        label: str,
        kind: Threads = TORCH,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.most, self.label, self._kind, self._clock = most, label, kind, clock
        self.chosen = 1
        self.seconds: dict[int, float] = {}
        self._trial = _Trial(most) if most > 1 else None
        self._next_trial, self._rest = 0.0, REST_RANGE[0]
        self._n_slow = 0

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Put the number of threads back at the end."""
        before = self._kind.number()
        try:
            yield
        finally:
            self._kind.use(before)

    def __call__(self, step: Callable[[], T]) -> T:
        """Take a step."""
        n_threads = self.chosen if self._trial is None else self._trial.n_threads
        if self._kind.number() != n_threads:
            self._kind.use(n_threads)
        start = self._clock()
        result = step()
        if self.most > 1:
            self._learn(self._clock() - start)
        return result

    def _learn(self, seconds: float) -> None:
        if self._trial is not None:
            self._trial.add(seconds)
            if self._trial.has_ended:
                self._choose(self._trial)
        elif self._is_due(seconds):
            self._trial, self._n_slow = _Trial(self.most), 0

    def _is_due(self, seconds: float) -> bool:
        """Whether the machine has changed, or may have since the last trial."""
        is_slow = seconds > SLOWER * self.seconds[self.chosen]
        self._n_slow = self._n_slow + 1 if is_slow and self.chosen > 1 else 0
        return self._n_slow >= SLOW_STEPS or self._clock() >= self._next_trial

    def _choose(self, trial: "_Trial") -> None:
        before = self.chosen if self.seconds else None
        self.seconds = trial.seconds
        self.chosen = 1 if self.seconds[self.most] > GAIN * self.seconds[1] else self.most
        shortest, longest = REST_RANGE
        self._rest = min(2 * self._rest, longest) if self.chosen == before else shortest
        lost = trial.total - trial.n_steps * self.seconds[self.chosen]
        self._next_trial = self._clock() + max(self._rest, REST * lost)
        self._trial = None
        if self.chosen != before:
            tqdm.write(self._line(), file=sys.stderr)

    def _line(self) -> str:
        one, many = (1000 * self.seconds[n] for n in (1, self.most))
        threads = "1 thread" if self.chosen == 1 else f"{self.chosen} threads"
        return (
            f"{self.label} on {threads}: a step takes {one:.3g} ms on one, {many:.3g} ms on "
            f"{self.most}"
        )


class _Trial:
    """Steps on one thread, then on many."""

    def __init__(self, most: int) -> None:
        self.most, self.n_threads = most, 1
        self.seconds: dict[int, float] = {}
        self.n_steps, self.total = 0, 0.0
        self._times: list[float] = []

    @property
    def has_ended(self) -> bool:
        """Whether both have been measured."""
        return self.most in self.seconds

    def add(self, seconds: float) -> None:
        """Count a step, but not the first on a number of threads, which are then woken."""
        self.n_steps, self.total = self.n_steps + 1, self.total + seconds
        self._times.append(seconds)
        counted = self._times[1:]
        n_enough = TRIAL_STEPS if sum(counted) >= TRIAL_SECONDS else MOST_TRIAL_STEPS
        if self._is_hopeless(seconds) or len(counted) >= n_enough:
            self.seconds[self.n_threads] = sum(counted) / len(counted) if counted else seconds
            self.n_threads, self._times = self.most, []

    def _is_hopeless(self, seconds: float) -> bool:
        """Whether more steps on many threads would only cost time."""
        return self.n_threads > 1 and seconds > HOPELESS * self.seconds[1]
