"""The learning rate's rise and fall, and how settings learn how long a training is."""

from __future__ import annotations

import dataclasses

import pytest

from data.files import InputError
from models.settings import BetaVAESettings, GlowSettings, InfoGANSettings


def test_the_rate_rises_stays_and_falls_to_zero(tensorflow):
    from models.schedules import WarmUpAndDecay

    rate = WarmUpAndDecay(0.5, 4, 0.25, 100)
    at = [float(rate(step)) for step in (0, 1, 3, 4, 74, 75, 80, 99, 100, 1_000)]
    assert at == pytest.approx([0.125, 0.25, 0.5, 0.5, 0.5, 0.5, 0.4, 0.02, 0, 0])


def test_a_rate_that_never_changes_is_a_number(tensorflow):
    from models.schedules import rate_of

    assert rate_of(0.1, BetaVAESettings()) == 0.1
    assert float(rate_of(0.1, BetaVAESettings(warmup_steps=2))(0)) == pytest.approx(0.05)


@pytest.mark.parametrize("kind", [BetaVAESettings, GlowSettings, InfoGANSettings])
def test_settings_know_the_trainings_length_where_it_matters(kind):
    assert kind(decay_share=0.3).fitted_to(None, 40).training_steps == 40
    assert kind().fitted_to(None, 40) == kind()
    for changes, message in (
        ({"decay_share": 1.5}, "decay_share is 1.5; expected 0 to 1"),
        ({"warmup_steps": -1}, "warmup_steps is -1; expected at least 0"),
    ):
        with pytest.raises(InputError, match=message):
            dataclasses.replace(kind(), **changes)
