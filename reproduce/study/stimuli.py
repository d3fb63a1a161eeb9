r"""Draws a blinded study's strips from finished runs: a learned axis against a random direction.

STUDY/public holds all that raters receive, STUDY/private the key and the design. How many raters
and pairs it takes is computed and printed. The names and the order depend on --seed and on the
checkpoints: whoever has only the public files cannot make the key from them.

Example:
    python -m reproduce.study.stimuli --runs=results/quick/runs \
        --predictors=results/quick/predictors --output=study
"""

from __future__ import annotations

from absl import flags

from data.files import InputError
from reproduce import program
from reproduce.training.run_directory import find_runs

_RUNS = flags.DEFINE_list("runs", None, "Finished runs, or folders of them.")
_OUTPUT = flags.DEFINE_string("output", None, "The study's folder; new, or empty.")
_TITLE = flags.DEFINE_string("title", "A study of pictures", "What raters see above every page.")
_SEED = flags.DEFINE_integer("seed", 0, "The seed of every draw.", lower_bound=0)
_PAIRS = flags.DEFINE_integer(
    "pairs", 64, "Pairs of each arm whose directions are drawn uniformly: primary.", lower_bound=1
)
_LABEL_FREE_PAIRS = flags.DEFINE_integer(
    "label_free_pairs",
    16,
    "Pairs of each arm by the label-free rule, the axis that changes most: secondary.",
    lower_bound=0,
)
_TRIALS = flags.DEFINE_integer("trials", 32, "Test pairs that a rater sees.", lower_bound=1)
_LABEL_FREE_TRIALS = flags.DEFINE_integer(
    "label_free_trials", 8, "Label-free pairs that a rater sees.", lower_bound=0
)
_CATCH_TRIALS = flags.DEFINE_integer(
    "catch_trials", 6, "Trials with a right answer that a rater sees.", lower_bound=1
)
_IDENTICAL_TRIALS = flags.DEFINE_integer(
    "identical_trials", 2, "Trials of two equal strips that a rater sees.", lower_bound=0
)
_NAMES = flags.DEFINE_integer(
    "names", 8, "Trials in which a rater is asked what changes.", lower_bound=0
)
_RATERS = flags.DEFINE_integer("raters", 60, "Planned; lists are made for them.", lower_bound=2)
_ENERGY_SHARE = flags.DEFINE_float(
    "energy_share",
    0.3,
    "What strips change at their ends, as a share of the mean squared difference between two "
    "images of the data set.",
    lower_bound=1e-3,
    upper_bound=1,
)
_PREDICTORS = flags.DEFINE_list(
    "predictors",
    [],
    "Runs of --model=factor_predictor, or folders of them: the key then holds strips' purity.",
)
_REPETITIONS = flags.DEFINE_integer(
    "power_repetitions", 100, "Simulated studies of the power calculation.", lower_bound=1
)


def main() -> None:
    """Checks, draws, writes, prints."""
    for name, flag in (("runs", _RUNS), ("output", _OUTPUT)):
        if not flag.value:
            raise InputError(f"--{name} is missing; give --runs of finished runs and --output")
    runs = find_runs(program.paths(_RUNS.value))
    predictors = find_runs(program.paths(_PREDICTORS.value)) if _PREDICTORS.value else []

    from reproduce.study import study_plan

    plan = study_plan.Plan(
        seed=_SEED.value,
        pairs=_PAIRS.value,
        label_free_pairs=_LABEL_FREE_PAIRS.value,
        trials=_TRIALS.value,
        label_free_trials=_LABEL_FREE_TRIALS.value,
        catch_trials=_CATCH_TRIALS.value,
        identical_trials=_IDENTICAL_TRIALS.value,
        names=_NAMES.value,
        raters=_RATERS.value,
        energy_share=_ENERGY_SHARE.value,
        power_repetitions=_REPETITIONS.value,
    )
    study_plan.check(plan, [run.read_config() for run in runs])
    study_plan.check_output(_OUTPUT.value)
    program.start_tensorflow()

    from reproduce.study import make_study

    for line in make_study.make(runs, predictors, plan, _TITLE.value, _OUTPUT.value):
        print(line)


if __name__ == "__main__":
    program.run(main)
