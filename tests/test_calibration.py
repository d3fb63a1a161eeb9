"""Under the null hypothesis p-values are uniform, for every family and closed-form metric."""

import numpy as np
import pytest
import scipy.stats

from reproduce import assessment, bases
from reproduce.representation import Representation

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
        plan = assessment.Plan([family], METRICS, 99, seed=repetition)
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
