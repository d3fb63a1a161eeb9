"""The power of the test grows with a planted effect."""

import numpy as np
import pandas as pd
import pytest
import scipy.stats

from reproduce.basis import operating_characteristics
from reproduce.basis.operating_characteristics import BOTH, HAAR, Design

TIMES = (0.0, 0.2, 0.4, 1.0)


@pytest.mark.slow
def test_power_falls_from_one_for_aligned_axes_to_the_level_for_random_ones():
    metrics = ("mig", "mig_sup", "modularity", "sap_continuous")
    design = Design(metrics, num_bases=99, num_latents=4, num_factors=4, num_classes=5)
    table = operating_characteristics.power_curve(design, 40, seed=0, times=TIMES)
    assert {*table["family"]} == {*HAAR, BOTH}
    for (family, metric, level), curve in table.groupby(["family", "metric", "level"]):
        power = curve.set_index("t")["power"]
        assert power[0.0] > 0.9, (family, metric)
        count = round(power[1.0] * 40)
        # As rare as the level says; for the larger of two p-values, at most so.
        side = "greater" if family == BOTH else "two-sided"
        assert scipy.stats.binomtest(count, 40, level, side).pvalue > 1e-3, (family, metric)
        assert np.all(np.diff(power[[*TIMES]]) < 3 * np.sqrt(0.5 / 40)), (family, metric)
        assert np.all((curve["low"] <= curve["power"]) & (curve["power"] <= curve["high"]))
    mig = table.query("family == 'haar' and metric == 'mig' and level == 0.05")["power"]
    assert mig.iloc[0] > mig.iloc[-2] + 0.3 > mig.iloc[-1]  # it does fall on the way


def test_the_program_writes_the_curve_and_names_a_mistake(run_program, tmp_path):
    output = tmp_path / "power.csv"
    flags = ["--repetitions=2", "--num_bases=9", "--num_points=60", f"--output={output}"]
    done = run_program("power", *flags, "--metrics=mig", "--times=0,0.5")
    assert done.returncode == 0, done.stderr
    table = pd.read_csv(output)
    assert tuple(table.columns) == operating_characteristics.POWER_COLUMNS
    assert len(table) == 2 * 3 * 2  # t, families, levels
    done = run_program("power", *flags, "--times=0,2")
    assert done.returncode == 2
    assert done.stderr == "power: --times is '0,2'; expected numbers from 0 to 1\n"
