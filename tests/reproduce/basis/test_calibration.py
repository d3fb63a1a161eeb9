"""Under the null hypothesis p-values are uniform, for every family and metric."""

import numpy as np
import pandas as pd
import pytest
import scipy.stats

from reproduce.basis import assessment, bases, operating_characteristics
from reproduce.basis.operating_characteristics import BOTH, NULLS, Design
from reproduce.basis.representation import Representation
from reproduce.metrics import registry

REPETITIONS = 200
CORRELATIONS = ("gaussian_total_correlation", "gaussian_wasserstein_correlation")
METRICS = ("mig", "mig_sup", "modularity", "sap_continuous", *CORRELATIONS)


def represent(latents, factors):
    return Representation(latents, factors, ("a", "b", "c"), (5, 5, 5))


@pytest.mark.parametrize(
    "family", ["haar_active", "haar", "general_linear", "general_linear_traversal"]
)
def test_p_values_are_uniform_when_the_learned_basis_is_one_more_draw(family):
    rng = np.random.default_rng(0)
    p_values = {metric: [] for metric in METRICS}
    for repetition in range(REPETITIONS):
        factors = rng.integers(5, size=(300, 3))
        latents = (factors - 2) / np.sqrt(2) + 0.3 * rng.normal(size=(300, 3))
        if family.startswith("haar"):
            drawn = latents @ bases.haar(1, 3, rng)[0]
        else:
            whitened = bases.whiten(represent(latents, factors).points()).latents
            drawn = whitened @ bases.general_linear(1, 3, rng)[0]
        plan = assessment.Plan([family], METRICS, 99, seed=repetition, table_only=True)
        for row in assessment.assess(represent(drawn, factors), plan).table.to_dict("records"):
            p_values[row["metric"]].append(row["p_value"])
    for metric, values in p_values.items():
        p = np.array(values)
        for level in (0.01, 0.05, 0.1, 0.5):
            # At most the level, within Monte-Carlo error.
            above = scipy.stats.binomtest(int(np.sum(p <= level)), REPETITIONS, level, "greater")
            assert above.pvalue > 1e-3, (metric, level)
        if family == "haar_active" and metric in CORRELATIONS:
            # Standardised axes are as uncorrelated as their own correlations allow, and any
            # rotation of them less so: the test cannot reject, and says so by p = 1.
            assert p.min() > 0.5
        else:
            # p is uniform on {1, ..., 100} / 100.
            assert scipy.stats.kstest(p - 0.005, "uniform").pvalue > 1e-3, metric


@pytest.mark.slow
@pytest.mark.parametrize("null", NULLS[1:3], ids=lambda null: null.families[-1])
def test_metrics_that_need_a_fit_or_groups_call_no_more_axes_special_than_the_level_says(null):
    # `make calibration` asks the same of hundreds of representations, and of the trees.
    metrics = ("factor_vae", "beta_vae", "irs", "sap", "dci_linear")
    design = Design(metrics, (null,), num_bases=19, noise=1.0)
    table = operating_characteristics.calibrate([design], repetitions=6, seed=1)
    exact = table[table["family"] != "haar_active"]
    assert len(exact) == 2 * 6  # two families (or haar and both), dci_linear has two columns
    assert exact["tail"].min() > 1e-3
    untied = exact[(exact["ties"] == 0) & (exact["family"] != BOTH)]
    assert {"irs", "dci_linear_disentanglement"} <= {*untied["metric"]}
    assert untied["uniform"].min() > 1e-3


@pytest.mark.slow
def test_haar_active_alone_may_call_too_many_axes_special_but_never_together_with_haar():
    # Scaled to one variance, most axes of an oblong cloud show its long direction, which is one
    # factor; rotations of the scaled axes bring its short one, which is noise, out again.
    design = Design(("mig", "mig_sup"), NULLS[1:2])
    table = operating_characteristics.calibrate([design], repetitions=200, seed=0)
    tails = table.set_index(["family", "metric"])["tail"]
    assert tails["haar_active", "mig_sup"] < 1e-3
    assert tails["haar_active", "mig"] > 1e-3
    assert tails[["haar", BOTH]].min() > 1e-3


def test_calibration_does_not_depend_on_the_number_of_processes():
    designs = operating_characteristics.calibration_designs(("mig", "irs"), 3, 1)
    one, two = (
        operating_characteristics.calibrate(designs, repetitions=2, seed=0, workers=workers)
        for workers in (1, 2)
    )
    pd.testing.assert_frame_equal(one, two)


def test_the_program_covers_every_family_and_metric_that_has_a_p_value(run_program, tmp_path):
    output = tmp_path / "calibration.csv"
    flags = ["--repetitions=1", "--num_bases=2", "--num_tree_bases=1", f"--output={output}"]
    done = run_program("calibration", *flags)
    assert done.returncode == 0, done.stderr
    table = pd.read_csv(output)
    assert tuple(table.columns) == operating_characteristics.CALIBRATION_COLUMNS
    scored = [registry.METRICS[name] for name in registry.OF_LATENTS]
    columns = {c for metric in scored if not metric.needs_grid for c in metric.columns}
    tested = {column for column in columns if not registry.is_invariant(column)}
    for name, family in bases.FAMILIES.items():
        expected = tested if family.role == "null" else set()
        assert {*table.loc[table["family"] == name, "metric"]} == expected
