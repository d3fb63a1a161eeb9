r"""Analyses a study's answers: who prefers what, how sure that is, and the verdict in a sentence.

Beside study.html it writes study.csv, and the figures as PNG and PDF.

Example:
    python -m reproduce.study.analyse --answers=answers.csv --key=study/private/key.csv \
        --output=study.html
"""

from __future__ import annotations

from pathlib import Path

from absl import flags

from data.files import InputError, check_outputs
from reproduce import program

_ANSWERS = flags.DEFINE_string("answers", None, "The collector's export, or several raters' own.")
_KEY = flags.DEFINE_string("key", None, "STUDY/private/key.csv.")
_METRICS = flags.DEFINE_string(
    "metrics", None, "What metrics say of the strips; by default metrics.csv beside the key."
)
_SEED = flags.DEFINE_integer("seed", 0, "The seed of the exact tests' sign flips.", lower_bound=0)
_OUTPUT = flags.DEFINE_string("output", "study.html", "The page.")


def main() -> None:
    """Reads, analyses, writes, prints."""
    for name, flag in (("answers", _ANSWERS), ("key", _KEY)):
        if not flag.value:
            raise InputError(f"--{name} is missing; give --answers of raters and the study's --key")
    output = Path(_OUTPUT.value)
    if output.suffix != ".html":
        raise InputError(f"--output={output}; expected a name that ends in .html")
    for file in (_ANSWERS.value, _KEY.value):
        if not Path(file).is_file():
            raise InputError(f"{file}: no such file; give a table that stimuli or collect wrote")

    metrics_file = Path(_METRICS.value or Path(_KEY.value).parent / "metrics.csv")
    given = (_ANSWERS.value, _KEY.value, metrics_file)
    check_outputs([output, output.with_suffix(".csv")], given)
    from data.files import atomic_write, write_text
    from reproduce.study import metric_table, page_of_results, plots, responses, results

    answers, key = responses.read(_ANSWERS.value, _KEY.value)
    metrics = None
    if _METRICS.value or metrics_file.exists():
        metrics = metric_table.read(metrics_file)
    result = results.analyse(answers, key, metrics, _SEED.value)
    for name, content in plots.files(result).items():
        with atomic_write(output.parent / name) as file:
            file.write(content)
    write_text(output.with_suffix(".csv"), results.table(result).to_csv(index=False))
    write_text(output, page_of_results.render(result))
    print(*(arm.sentence for arm in result.arms), output, sep="\n")


if __name__ == "__main__":
    program.run(main)
