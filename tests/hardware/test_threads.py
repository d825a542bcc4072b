"""How many threads take a step: the faster number, on a machine that changes."""

from collections.abc import Callable, Iterator

import pytest
import torch

from cgsim.hardware.threads import MeasuredThreads, compiled_threads, eager_threads


@pytest.fixture(autouse=True)
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


class Machine:
    """A clock, and steps that take as long as the machine says for the threads of PyTorch."""

    def __init__(self, one: float, two: float) -> None:
        self.seconds = {1: one, 2: two}
        self.now = 0.0
        self.used: list[int] = []

    def step(self) -> int:
        n_threads = torch.get_num_threads()
        self.now += self.seconds[n_threads]
        self.used.append(n_threads)
        return len(self.used)

    def run(self, threads: MeasuredThreads, seconds: float) -> float:
        """Rate of steps over a time."""
        start, n_before = self.now, len(self.used)
        while self.now < start + seconds:
            threads(self.step)
        return (len(self.used) - n_before) / (self.now - start)


def measured(machine: Machine, most: int = 2) -> MeasuredThreads:
    return MeasuredThreads(most, label="roll-out", clock=lambda: machine.now)


@pytest.mark.parametrize(
    ("one", "two"),
    [(0.004, 0.0025), (0.004, 0.0039), (0.004, 0.008), (0.004, 1.2), (1.0, 0.6), (1.0, 30.0)],
)
def test_no_slower_than_nine_tenths_of_the_better_number(one: float, two: float) -> None:
    machine = Machine(one, two)
    rate = machine.run(measured(machine), 1000 * one + 60)
    assert rate > 0.9 / min(one, two)


def test_it_follows_the_machine_both_ways() -> None:
    machine = Machine(0.004, 0.0025)
    threads = measured(machine)
    machine.run(threads, 20)
    assert threads.chosen == 2
    machine.seconds = {1: 0.005, 2: 1.2}  # another process takes a core
    machine.run(threads, 6)
    assert threads.chosen == 1
    assert machine.run(threads, 120) > 0.9 / 0.005
    machine.seconds = {1: 0.004, 2: 0.0025}  # and leaves again
    machine.run(threads, 61)
    assert threads.chosen == 2


def test_what_does_not_change_is_tried_ever_less_often() -> None:
    machine = Machine(0.004, 0.02)
    threads = measured(machine)
    shares = []
    for _ in range(4):
        before = len(machine.used)
        machine.run(threads, 100)
        shares.append(machine.used[before:].count(2) / len(machine.used[before:]))
    assert shares[-1] < shares[0]
    assert shares[-1] < 0.002


def test_a_single_slow_step_changes_nothing() -> None:
    machine = Machine(0.004, 0.0025)
    threads = measured(machine)
    machine.run(threads, 0.5)
    machine.seconds[2] = 0.1
    threads(machine.step)
    machine.seconds[2] = 0.0025
    n_before = len(machine.used)
    for _ in range(50):
        threads(machine.step)
    assert machine.used[n_before:] == [2] * 50


def test_with_one_thread_there_is_nothing_to_measure() -> None:
    machine = Machine(0.004, 0.0025)
    threads = measured(machine, most=1)
    machine.run(threads, 1)
    assert set(machine.used) == {1}
    assert threads.seconds == {}


def test_results_are_handed_on_and_the_number_of_threads_put_back() -> None:
    machine = Machine(0.004, 1.2)
    threads = measured(machine)
    with threads.kept():
        assert [threads(machine.step) for _ in range(40)] == list(range(1, 41))
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 2


def test_the_choice_is_one_line_and_one_more_when_it_changes(
    capsys: pytest.CaptureFixture[str],
) -> None:
    machine = Machine(0.004, 0.0025)
    threads = measured(machine)
    machine.run(threads, 60)
    assert capsys.readouterr().err.splitlines() == [
        "roll-out on 2 threads: a step takes 4 ms on one, 2.5 ms on 2"
    ]
    machine.seconds[2] = 0.5
    machine.run(threads, 60)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("roll-out on 1 thread:")


@pytest.mark.parametrize(
    ("most", "small", "large"), [(eager_threads, 4999, 5000), (compiled_threads, 2999, 3000)]
)
def test_small_batches_are_not_worth_a_second_thread(
    most: Callable[[int], int], small: int, large: int
) -> None:
    assert (most(small), most(large)) == (1, 2)
    torch.set_num_threads(1)
    assert most(large) == 1
