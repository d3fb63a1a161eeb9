"""Traversals: equal energy, the smallest step, and dead directions, on a decoder in closed form."""

import numpy as np
import pytest

from data.files import InputError
from reproduce.traversal import energy_matching

GAINS = np.array([1.0, 2.0, 0.01])


def linear_decoder(latents):
    """Three pixels, each moved by one latent: energy(step u) = step^2 mean((GAINS u)^2)."""
    return (0.5 + 0.1 * latents * GAINS)[:, None, :, None].astype(np.float64)


def step_along(decode, start, direction, target):
    """`matched_steps` along a single direction."""
    found = energy_matching.matched_steps(decode, start, direction[None], target)
    return tuple(values[0] for values in found)


def test_a_step_has_the_energy_asked_for():
    start, target = np.zeros((1, 3)), 1e-3
    for direction in np.eye(3)[:2]:
        step, energy, dead = step_along(linear_decoder, start, direction, target)
        gain = 0.1 * (GAINS @ direction)
        assert not dead
        assert step == pytest.approx(np.sqrt(3 * target) / gain, rel=1e-3)
        assert energy == pytest.approx(target, rel=1e-2)


def test_a_direction_that_moves_no_pixel_far_enough_is_dead():
    step, energy, dead = step_along(linear_decoder, np.zeros((1, 3)), np.eye(3)[2], 0.02)
    assert dead
    assert step == energy_matching.MAX_STEP
    assert energy == pytest.approx((energy_matching.MAX_STEP * 0.1 * 0.01) ** 2 / 3)


def test_the_smallest_step_is_taken_where_the_energy_comes_and_goes():
    def periodic(latents):
        return np.sin(4 * latents)[:, None, :, None]

    step, _, dead = step_along(periodic, np.zeros((1, 1)), np.ones(1), 0.25)
    assert not dead
    assert step == pytest.approx(np.arcsin(0.5) / 4, rel=1e-2)


def test_a_strip_runs_through_its_start_to_both_ends():
    start, direction = np.array([0.2, -0.1, 0.0]), np.array([[0.6, 0.8, 0.0]])
    result = energy_matching.traverse(linear_decoder, start, direction, target=1e-3, num_frames=5)
    np.testing.assert_allclose(result.directions, [[0.6, 0.8, 0.0]])
    np.testing.assert_allclose(result.frames[0, 2], linear_decoder(start[None])[0])
    end = start + result.steps[0] * result.directions[0]
    np.testing.assert_allclose(result.frames[0, -1], linear_decoder(end[None])[0])
    both = np.mean((result.frames[0, [0, -1]] - result.frames[0, 2]) ** 2)
    assert both == pytest.approx(1e-3, rel=1e-2)


def test_the_energy_is_a_tenth_of_the_mean_squared_difference_between_images():
    images = np.random.default_rng(0).uniform(size=(40, 3, 3, 1))
    pairs = [np.mean((a - b) ** 2) for a in images for b in images]
    assert energy_matching.default_energy(images) == pytest.approx(0.1 * np.mean(pairs))


@pytest.mark.parametrize("dtype", [">f4", np.float16, np.int8])
def test_given_directions_have_unit_length_whatever_their_type(tmp_path, dtype):
    given = np.asfortranarray([[3, 4, 0], [0, 0, -2]], dtype)
    np.save(tmp_path / "given.npy", given)
    found = energy_matching.read_directions(str(tmp_path / "given.npy"))
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, [[0.6, 0.8, 0], [0, 0, -1]], atol=1e-12)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (np.eye(3) + 1j, "complex128"),
        (np.array([["a", "b"]]), "expected float"),
        (np.ones((0, 3)), r"\[0, 3\]; expected float \[m, D\]"),
        (np.ones(3), r"\[3\]; expected float \[m, D\]"),
        (np.eye(3) * 1e300, "multiply all by one number"),
        (np.full((2, 3), np.nan), "not finite"),
        (np.diag([1.0, 0.0]), "direction 1 is zero"),
    ],
)
def test_given_directions_that_are_none_are_named(tmp_path, given, message):
    file = tmp_path / "given.npy"
    np.save(file, given)
    with pytest.raises(InputError, match=message) as error:
        energy_matching.read_directions(str(file))
    assert str(error.value).startswith(str(file))
    np.savez(tmp_path / "given", given)
    with pytest.raises(InputError, match="several arrays"):
        energy_matching.read_directions(str(tmp_path / "given.npz"))
