"""The integrator and the training target are exact inverses."""

import pytest
import torch

from cgsim.model.integrators.euler import acceleration_target, euler_step, velocity_from_history

DTYPE = torch.float64


@pytest.mark.parametrize("history", [1, 2, 5])
@pytest.mark.parametrize("timestep", [1e-3, 1.0, 250.0])
def test_target_is_the_inverse_of_the_step(history: int, timestep: float) -> None:
    frames = torch.randn(7, history, 3, dtype=DTYPE)
    next_pos = torch.randn(7, 3, dtype=DTYPE)
    acceleration = acceleration_target(frames, next_pos, timestep=timestep)
    velocity = velocity_from_history(frames, timestep)
    found, new_velocity = euler_step(
        frames[:, -1], velocity, acceleration=acceleration, timestep=timestep
    )
    torch.testing.assert_close(found, next_pos, rtol=1e-13, atol=1e-13)
    torch.testing.assert_close(new_velocity, (next_pos - frames[:, -1]) / timestep)


@pytest.mark.parametrize("history", [1, 3])
def test_step_is_the_inverse_of_the_target(history: int) -> None:
    frames, acceleration = torch.randn(7, history, 3, dtype=DTYPE), torch.randn(7, 3, dtype=DTYPE)
    velocity = velocity_from_history(frames, 0.5)
    next_pos, _ = euler_step(frames[:, -1], velocity, acceleration=acceleration, timestep=0.5)
    found = acceleration_target(frames, next_pos, timestep=0.5)
    torch.testing.assert_close(found, acceleration, rtol=1e-12, atol=1e-12)


def test_target_is_the_second_difference() -> None:
    time = 0.2 * torch.arange(3, dtype=DTYPE)
    acceleration = torch.tensor([[0.3, -2.0, 5.0]], dtype=DTYPE)
    frames = 1.0 + 0.7 * time[None, :, None] + 0.5 * acceleration[:, None] * time[:, None] ** 2
    found = acceleration_target(frames[:, :2], frames[:, 2], timestep=0.2)
    torch.testing.assert_close(found, acceleration, rtol=1e-12, atol=1e-12)


def test_one_frame_has_no_velocity() -> None:
    frames = torch.randn(4, 1, 3, dtype=DTYPE)
    torch.testing.assert_close(velocity_from_history(frames, 2.0), torch.zeros(4, 3, dtype=DTYPE))
    shifted = frames[:, -1] + 3.0
    target = acceleration_target(frames, shifted, timestep=2.0)
    torch.testing.assert_close(target, torch.full((4, 3), 3.0 / 4.0, dtype=DTYPE))


def test_velocity_is_of_the_last_two_frames() -> None:
    frames = torch.tensor([[[9.0, 9.0, 9.0], [1.0, 2.0, 3.0], [2.0, 2.0, 1.0]]])
    expected = torch.tensor([[2.0, 0.0, -4.0]])
    torch.testing.assert_close(velocity_from_history(frames, 0.5), expected)


def test_step_is_semi_implicit() -> None:
    """The new velocity moves the positions: energy of an oscillator stays bounded for 1e4 steps."""
    pos, velocity = torch.ones(1, 3, dtype=DTYPE), torch.zeros(1, 3, dtype=DTYPE)
    energies = []
    for _ in range(10_000):
        pos, velocity = euler_step(pos, velocity, acceleration=-pos, timestep=0.1)
        energies.append((pos.square() + velocity.square()).sum().item() / 6)
    assert 0.45 < min(energies) < max(energies) < 0.55


def test_far_from_the_origin_float32_needs_centring() -> None:
    """Why windows are centred and states are float64."""
    exact = 0.05 * torch.randn(50, 3, 3, dtype=DTYPE)
    target = acceleration_target(exact[:, :2], exact[:, 2], timestep=1.0)

    def error(frames: torch.Tensor) -> float:
        found = acceleration_target(frames[:, :2], frames[:, 2], timestep=1.0)
        return (found.double() - target).abs().max().item()

    far = (exact + 50.0).float()
    centred = (exact + 50.0 - 50.0).float()
    assert error(far) > 1e-6
    assert error(centred) < 1e-7
    assert error(exact + 50.0) < 1e-12
