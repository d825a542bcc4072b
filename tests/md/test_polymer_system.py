import numpy as np
import pytest

from cgsim.md.merged import Phase, choose_platform
from cgsim.md.polymer import Chain, initial_coordinates, sample_chains
from cgsim.md.polymer_system import ForceField, MergedChains


def small_chain(types: tuple[str, ...], bonds: list[tuple[int, int]]) -> Chain:
    return Chain("small", "II", "tiny", types, np.array(bonds, dtype=np.int64).T, ())


def lennard_jones(r: float, epsilon: float, force_field: ForceField) -> float:
    """OpenMM's switched Lennard-Jones energy."""
    start, stop = force_field.switch_distance, force_field.cutoff
    x = np.clip((r - start) / (stop - start), 0.0, 1.0)
    switch = 1 - 10 * x**3 + 15 * x**4 - 6 * x**5
    power = (force_field.sigma / r) ** 6
    return float(4 * epsilon * (power**2 - power) * switch) if r < stop else 0.0


@pytest.mark.parametrize("angle", [1.0, 2.0, 3.1])
def test_energy_of_three_beads_is_the_formula(angle: float) -> None:
    force_field = ForceField()
    chain = small_chain(("B1", "B2", "S2"), [(0, 1), (1, 2)])
    a, b = 1.1, 0.95
    xyz = np.array([[a, 0, 0], [0, 0, 0], [b * np.cos(angle), b * np.sin(angle), 0]])
    energy, _ = MergedChains([chain], force_field, platform="Reference").forces([xyz])
    bonds = 0.5 * force_field.bond_constant * ((a - 1) ** 2 + (b - 1) ** 2)
    epsilon = np.sqrt(force_field.epsilon["B1"] * force_field.epsilon["S2"])
    pair = lennard_jones(float(np.linalg.norm(xyz[0] - xyz[2])), epsilon, force_field)
    assert energy == pytest.approx(bonds + pair, rel=1e-5)


@pytest.mark.parametrize("r", [0.9, 1.12, 2.2, 2.49, 2.6])
def test_energy_of_two_free_beads_is_switched_to_zero(r: float) -> None:
    force_field = ForceField()
    chain = small_chain(("S2", "B2", "B1"), [(1, 2)])
    xyz = np.array([[0, 0, 0], [r, 0, 0], [r + 1.0, 0, 0]])
    energy, _ = MergedChains([chain], force_field, platform="Reference").forces([xyz])
    near = lennard_jones(r, np.sqrt(0.6 * 1.2), force_field)
    far = lennard_jones(r + 1.0, np.sqrt(0.05 * 1.2), force_field)
    assert energy == pytest.approx(near + far, rel=1e-5, abs=1e-9)


@pytest.mark.parametrize("platform", ["CPU", "Reference"])
def test_merged_chains_feel_the_forces_they_feel_alone(platform: str) -> None:
    force_field = ForceField()
    chains = sample_chains("I", size="tiny", n_chains=3, seed=1)
    chains += sample_chains("II", size="mini", n_chains=2, seed=1)
    xyz = [initial_coordinates(chain, seed=i) for i, chain in enumerate(chains)]
    energy, merged = MergedChains(chains, force_field, platform=platform).forces(xyz)
    alone = [
        MergedChains([chain], force_field, platform=platform).forces([x])
        for chain, x in zip(chains, xyz, strict=True)
    ]
    assert energy == pytest.approx(sum(e for e, _ in alone), rel=1e-4)
    for together, (_, force) in zip(merged, alone, strict=True):
        scale = np.abs(force[0]).max()
        np.testing.assert_allclose(together, force[0], atol=2e-4 * scale)


def test_dynamics_keeps_temperature_and_bond_lengths() -> None:
    force_field = ForceField()
    chains = sample_chains("I", size="tiny", n_chains=6, seed=0)
    merged = MergedChains(chains, force_field, platform="CPU")
    start = merged.relax([initial_coordinates(c, seed=i) for i, c in enumerate(chains)], seed=0)
    kinetic, lengths = [], []
    for piece in range(12):
        frames, start = merged.advance(start, n_frames=1, steps_per_frame=300, seed=piece)
        if piece >= 4:
            kinetic.append(np.mean([0.5 * (p.velocity**2).mean() for p in start]))
            for chain, frame in zip(chains, frames, strict=True):
                i, j = chain.bond_index
                lengths.append(np.linalg.norm(frame[0, i] - frame[0, j], axis=1))
    assert np.mean(kinetic) == pytest.approx(0.5, rel=0.05)  # kT/2 per degree of freedom
    assert np.mean(lengths) == pytest.approx(1.0, abs=0.02)
    assert np.std(lengths) == pytest.approx(force_field.bond_constant**-0.5, rel=0.1)


def test_frames_are_continuous_with_the_start_and_repeatable() -> None:
    chains = sample_chains("II", size="tiny", n_chains=3, seed=0)
    merged = MergedChains(chains, ForceField(), platform="Reference")
    shift = np.array([[1e3, 0, 0], [0, -5e2, 0], [3.3, 0, 0]])
    relaxed = merged.relax([initial_coordinates(c, seed=1) for c in chains], seed=1)
    start = [Phase(p.xyz + s, p.velocity) for p, s in zip(relaxed, shift, strict=True)]
    frames, end = merged.advance(start, n_frames=4, steps_per_frame=5, seed=3)
    for before, xyz, after in zip(start, frames, end, strict=True):
        path = np.concatenate([before.xyz[None], xyz])
        assert np.abs(np.diff(path, axis=0)).max() < 0.5
        np.testing.assert_allclose(after.xyz, xyz[-1])
    again, _ = merged.advance(start, n_frames=4, steps_per_frame=5, seed=3)
    other, _ = merged.advance(start, n_frames=4, steps_per_frame=5, seed=4)
    np.testing.assert_array_equal(np.concatenate(again, axis=1), np.concatenate(frames, axis=1))
    assert not np.allclose(other[0], frames[0])


def test_free_chain_diffuses_as_its_friction_says() -> None:
    """Mean squared displacement of a centre: 6 D t, D = kT / (n m gamma), t beyond 1 / gamma."""
    force_field = ForceField(friction=20.0)
    chains = [small_chain(("B1", "B1"), [(0, 1)])] * 400
    merged = MergedChains(chains, force_field, platform="CPU")
    start = merged.relax([np.array([[0.0, 0, 0], [1.0, 0, 0]])] * 400, seed=0)
    _, end = merged.advance(start, n_frames=1, steps_per_frame=200, seed=0)
    moved = np.array([b.xyz.mean(0) - a.xyz.mean(0) for a, b in zip(start, end, strict=True)])
    time, rate = 2.0, 20.0
    expected = 6.0 / (2 * rate) * (time - (1 - np.exp(-rate * time)) / rate)
    assert (moved**2).sum(axis=1).mean() == pytest.approx(expected, rel=0.15)


def test_an_exploding_chain_is_an_error() -> None:
    chain = sample_chains("I", size="tiny", n_chains=1, seed=0)[0]
    merged = MergedChains([chain], ForceField(timestep=10.0), platform="Reference")
    start = Phase(initial_coordinates(chain, seed=0), np.zeros((chain.n_atoms, 3)))
    with pytest.raises(ArithmeticError, match="timestep"):
        merged.advance([start], n_frames=1, steps_per_frame=200, seed=0)


def test_unknown_platform() -> None:
    with pytest.raises(ValueError, match="platform"):
        choose_platform("TPU")
