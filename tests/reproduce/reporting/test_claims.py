"""The ledger of published claims, and the program that checks it against result files."""

from __future__ import annotations

import posixpath
import re
import shlex
import shutil
from pathlib import Path

import pandas as pd
import pytest
from programs import ROOT

from data.files import InputError
from reproduce.basis import bases
from reproduce.metrics import registry
from reproduce.pipeline.profiles import PROFILES
from reproduce.reporting import claim_checks, ledger, published_settings
from reproduce.training import recipes

FILE = ROOT / "paper" / "claims.toml"
CLAIMS = ledger.read(FILE)
RUNNABLE = [claim for claim in CLAIMS if claim.command]
AUTHORS = (
    *("Szegedy", "Bau", "Locatello", "Rolinek", "Zietlow", "Mathieu", "Stuehmer", "Horan"),
    *("Burgess", "Higgins", "Chen", "Kingma", "Kim", "Ridgeway", "Eastwood", "Kumar", "Suter"),
    *("Duan", "Do", "Li", "Lin", "Reizinger", "Lucas", "Dorrell", "Michlo", "Allen", "Korznikov"),
    *("Heap", "Bolukbasi", "Dey", "Klindt", "Colin", "Khosla", "Kapoor", "Voynov", "Haerkoenen"),
    *("Leavitt", "Zimmermann", "Bhowal", "Gresele", "Dai", "Khemakhem", "Poole"),
)

SMALL = """# A comment that stays.
[[claim]]
id = "figure"
paper = "A, 2020"
arxiv = ""
where = "table 1"
says = "MIG .3 \u00b1 .1"
sure = "A"
setting = "ours"
runs_on = "two cores"
because = "small"
command = "make reproduce"
tolerance = 0.2
measured = ""
verdict = "not yet run"
[claim.check]
file = "verdict.csv"
where = { model = "a", metric = "mig" }
column = "haar_observed"
expect = 0.3

[[claim]]
id = "statement"
paper = "B, 2020"
arxiv = ""
where = "abstract"
says = "No better than random."
sure = "B"
setting = "ours"
runs_on = "two cores"
because = "small"
command = "make reproduce"
tolerance = "not special"
measured = ""
verdict = "not yet run"
[claim.check]
file = "verdict.csv"
where = { model = "a", metric = "mig" }
column = "special"
expect = false
contradicted = true
show = ["haar_p", "sentence"]

[[claim]]
id = "order"
paper = "B, 2020"
arxiv = ""
where = "abstract"
says = "a above b."
sure = "B"
setting = "ours"
runs_on = "two cores"
because = "small"
command = "make reproduce"
tolerance = "p <= .05"
measured = ""
verdict = "not yet run"
[claim.check]
file = "runs/a-seed*/scores.csv"
num_files = 2
column = "value"
test = "difference"
expect = ">"
against = { file = "runs/b-seed*/scores.csv" }

[[claim]]
id = "memory"
paper = "C, 2020"
arxiv = ""
where = "?"
says = "Something."
sure = "C"
setting = "theirs"
runs_on = "a GPU"
because = "large"
command = ""
tolerance = ""
measured = ""
verdict = "not yet run"
"""


@pytest.fixture
def small(tmp_path) -> Path:
    file = tmp_path / "claims.toml"
    file.write_text(SMALL, encoding="utf-8")
    return file


@pytest.fixture
def results(tmp_path) -> Path:
    """Results under which the figure is reproduced, the statement contradicted, the order open."""
    folder = tmp_path / "results" / "short"
    for run, value in {"a-seed1": 0.1, "a-seed2": 0.3, "b-seed1": 0.2, "b-seed2": 0.4}.items():
        (folder / "runs" / run).mkdir(parents=True)
        frame = pd.DataFrame({"metric": ["mig"], "value": [value]})
        frame.to_csv(folder / "runs" / run / "scores.csv", index=False)
    write_verdict(folder, special=True)
    return folder


def write_verdict(folder: Path, special: bool) -> None:
    row = {"data_set": "dsprites", "metric": "mig", "num_seeds": 3, "seeds": "10 11 12"}
    found = {"haar_observed": 0.45, "haar_p": 0.0001, "special": special, "sentence": "Told apart."}
    frame = pd.DataFrame([{"model": "a"} | row | found, {"model": "b"} | row | found])
    frame.to_csv(folder / "verdict.csv", index=False)


def test_the_ledger_has_its_rows_over_many_papers():
    assert len(CLAIMS) >= 40
    assert len({claim.paper for claim in CLAIMS}) >= 12
    for claim in CLAIMS:
        for key in ("paper", "where", "says", "setting"):
            assert getattr(claim, key), claim.id
        assert re.search(r"\b(19|20)\d\d\b", claim.paper), claim.id
        assert re.fullmatch(r"(\d{4}\.\d{4,5})?", claim.arxiv), claim.id
        assert claim.verdict in ledger.VERDICTS
        assert claim.sure in ledger.SURENESS
    papers = " ".join(claim.paper for claim in CLAIMS)
    for name in AUTHORS:
        assert re.search(rf"\b{name}\b", papers), name


def test_what_is_quoted_from_memory_decides_nothing():
    from_memory = [claim for claim in CLAIMS if claim.sure == "C"]
    assert from_memory
    for claim in from_memory:
        assert (claim.check, claim.measured, claim.verdict) == (None, "", "not yet run"), claim.id


def test_every_source_is_in_the_bibliography_under_its_authors_and_year():
    text = (ROOT / "paper" / "references.bib").read_text(encoding="utf-8")
    entries = dict(re.findall(r"^@\w+\{(\w+),(.*)$", text, re.MULTILINE))
    for claim in CLAIMS:
        assert claim.source in entries, claim.id
        entry = entries[claim.source]
        (year,) = re.findall(r"year=\{(\d{4})\}", entry)
        assert year in claim.paper, claim.id
        if claim.arxiv and "arxiv.org" in entry:
            assert f"arxiv.org/abs/{claim.arxiv}}}" in entry, claim.id


def test_from_memory_is_marked_wherever_the_ledger_is_shown():
    shown = ledger.table(CLAIMS, {}).set_index("id")["sure"]
    for claim in CLAIMS:
        assert ("decides nothing" in shown[claim.id]) == (claim.sure == "C")


def test_what_can_be_run_has_a_command_and_a_tolerance():
    short = [c for c in RUNNABLE if "short profile" in c.setting]
    assert len(short) >= 12
    for claim in CLAIMS:
        assert bool(claim.command) == (claim.check is not None), claim.id
        assert claim.check is None or claim.tolerance != "", claim.id


def commands() -> list[str]:
    lines = [line for claim in RUNNABLE for line in claim.command.splitlines()]
    return sorted(set(filter(None, lines)))


def known_flags(module: str) -> set[str]:
    text = (ROOT / "reproduce" / f"{module}.py").read_text()
    return set(re.findall(r'flags\.DEFINE_\w+\(\s*"(\w+)"', text))


@pytest.mark.parametrize("command", commands())
def test_every_command_names_what_exists(command):
    words = shlex.split(command)
    if words[0] == "make":
        assert re.search(rf"^{words[1]}:.* ## ", (ROOT / "Makefile").read_text(), re.MULTILINE)
        variables = dict(word.split("=") for word in words[2:])
        profile = PROFILES[variables.pop("PROFILE", "quick")]
        assert variables.pop("DATASET", "dsprites") in (*profile.arms, "all")
        assert set(variables) <= ({"WEIGHTS"} if words[1] == "published" else set())
        return
    assert words[:2] == [".venv/bin/python", "-m"]
    package, module = words[2].split(".")
    assert package == "reproduce"
    pairs = [word.removeprefix("--").partition("=")[::2] for word in words[3:]]
    assert all(word.startswith("--") for word in words[3:])
    assert {name for name, _ in pairs} <= known_flags(module)
    flags = {name: value for name, value in pairs if name != "set"}
    if "metrics" in flags:
        registry.check_metrics(flags["metrics"].split(","), list(registry.METRICS))
    if "families" in flags:
        bases.check_families(flags["families"].split(","))
    if module == "train":
        changes = dict(value.split("=") for name, value in pairs if name == "set")
        changes |= {key: flags[key] for key in ("num_steps", "posterior") if key in flags}
        found = recipes.find(flags.get("model", "beta_vae"), flags["recipe"])
        assert recipes.override(found, changes).num_steps in (0, 322_560, 345_600, 576_000, 633_200)
    for path in re.findall(r"results/short/runs/([^/,\s]+)", command):
        profile = PROFILES["short"]
        arms = profile.arms["dsprites"]
        assert path in {f"{arm.name}-seed{seed}" for arm in arms for seed in profile.seeds}


def test_every_file_that_is_checked_is_written_by_its_commands():
    for claim in RUNNABLE:
        assert claim.check is not None
        for source in filter(None, (claim.check.source, claim.check.against)):
            file = source.file
            by_hand = file.startswith(("../", "scores-", "udr-", "orthogonality/", "metrics/"))
            if not by_hand or file.startswith(
                ("../controls/", "../datasets-", "../mechanisms/", "../published/losses.csv")
            ):
                assert "make " in claim.command, claim.id
                continue
            path = posixpath.normpath(posixpath.join("results/short", file))
            stem = path.split("*")[0].removesuffix("/training.csv")
            assert stem in claim.command, (claim.id, stem)


OF_SETTINGS = [claim for claim in CLAIMS if claim.settings]


@pytest.mark.parametrize("claim", OF_SETTINGS, ids=lambda claim: claim.id)
def test_what_profile_paper_trains_is_a_point_of_the_published_grid(claim):
    arms = [
        arm
        for arm in PROFILES["paper"].arms["dsprites"]
        if arm.model == "beta_vae" and arm.recipe == claim.settings.recipe
    ]
    assert {arm.changes["posterior"] for arm in arms} == {"diagonal", "full_covariance"}
    assert f"recipe {claim.settings.recipe} of make reproduce PROFILE=paper" in claim.setting
    for arm in arms:
        planned = recipes.override(recipes.RECIPES[arm.recipe], dict(arm.changes))
        assert claim.settings.departures(planned) == []
    longer = recipes.override(recipes.RECIPES[claim.settings.recipe], {"num_steps": 10})
    assert claim.settings.departures(longer) == ["num_steps is 10; published is 300000"]


def test_every_objective_of_their_study_has_its_settings_and_beta_all_of_them():
    recipes_of = {claim.settings.recipe: claim.settings for claim in OF_SETTINGS}
    planned = [a for a in PROFILES["paper"].arms["dsprites"] if a.model == "beta_vae"]
    assert {arm.recipe for arm in planned} == set(recipes_of)
    betas = {float(arm.changes["beta"]) for arm in planned if "beta" in arm.changes}
    assert betas == {point["beta"] for point in recipes_of["locatello2019"].points()}


def test_values_of_a_grid_belong_together():
    settings = published_settings.PublishedSettings(
        "locatello2019_dip_vae_i", {}, {"lambda_od": [1, 2], "lambda_d": [10, 20]}
    )
    recipe = recipes.RECIPES["locatello2019_dip_vae_i"]

    def departures(off_diagonal: int, diagonal: int) -> list[str]:
        changes = {"lambda_od": str(off_diagonal), "lambda_d": str(diagonal)}
        return settings.departures(recipes.override(recipe, changes))

    assert departures(1, 10) == departures(2, 20) == []
    (told,) = departures(1, 20)
    assert "is no point of the grid" in told


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ('recipe = "quick"\nfixed = {}', "expected settings with the keys"),
        ('recipe = "no"\nfixed = {}\ngrid = { beta = [1] }', "unknown recipe 'no'"),
        ('recipe = "quick"\nfixed = {}\ngrid = { beta = 1 }', "expected lists of one length"),
        (
            'recipe = "quick"\nfixed = {}\ngrid = { beta = [1], gamma = [1, 2] }',
            "expected lists of one length",
        ),
        ('recipe = "quick"\nfixed = 1\ngrid = { beta = [1] }', "fixed is 1; expected a table"),
    ],
)
def test_damaged_settings_are_told(settings, message):
    with pytest.raises(InputError, match=f"claim memory: .*{re.escape(message)}"):
        ledger.parse(f"{SMALL}[claim.settings]\n{settings}\n")


def evaluate_all(file: Path, results: Path) -> dict[str, ledger.Finding]:
    found = {claim.id: ledger.evaluate(claim, results) for claim in ledger.read(file)}
    return {name: finding for name, finding in found.items() if finding is not None}


def test_findings_say_what_was_measured_where(small, results):
    findings = evaluate_all(small, results)
    assert {name: finding.verdict for name, finding in findings.items()} == {
        "figure": "reproduced",
        "statement": "contradicted",
        "order": "inconclusive",
    }
    assert findings["figure"].measured == "haar_observed 0.45, seeds 10 11 12 (short/verdict.csv)"
    assert findings["statement"].measured == (
        "special true, haar_p 0.0001, Told apart, seeds 10 11 12 (short/verdict.csv)"
    )
    assert findings["order"].measured == (
        "value 0.2 (mean of 2, sd 0.14) against 0.3 (mean of 2, sd 0.14), seeds 1 2, "
        "p 0.83 by permutation of seeds, inconclusive since p = 0.83 is above 0.05, "
        "tested at 0.05, not corrected "
        "(short/runs/a-seed*/scores.csv, short/runs/b-seed*/scores.csv)"
    )


def test_numbers_of_given_files_are_not_called_seeds(small, results):
    table = pd.read_csv(results / "verdict.csv").assign(data_set="", seeds="0 1 2")
    table.to_csv(results / "verdict.csv", index=False)
    measured = evaluate_all(small, results)["figure"].measured
    assert measured == "haar_observed 0.45 (short/verdict.csv)"


def test_only_the_two_lines_of_a_claim_are_rewritten(small, results):
    filled = ledger.fill_in(SMALL, evaluate_all(small, results))
    lines = list(zip(SMALL.splitlines(), filled.splitlines(), strict=True))
    changed = [line for line, other in lines if line != other]
    assert len(changed) == 6
    assert all(line.startswith(("measured", "verdict")) for line in changed)
    assert ledger.fill_in(filled, evaluate_all(small, results)) == filled


def test_write_fills_in_a_second_run_agrees_and_a_contradiction_ends_with_1(
    run_program, small, results
):
    flags = [f"--ledger={small}", f"--results={results}"]
    done = run_program("claims", *flags, "--write")
    assert done.returncode == 0, done.stderr
    written = small.read_bytes()
    verdicts = [claim.verdict for claim in ledger.read(small)]
    assert verdicts == ["reproduced", "contradicted", "inconclusive", "not yet run"]

    done = run_program("claims", *flags)
    assert (done.returncode, done.stderr) == (0, "")
    assert (
        "1 reproduced, 1 inconclusive, 0 not reproduced, 1 contradicted, 1 not yet run"
        in done.stdout
    )

    write_verdict(results, special=False)
    done = run_program("claims", *flags)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "contradicts the recorded verdict of statement;" in line
    assert small.read_bytes() == written


def test_results_that_are_not_there_say_nothing(small, results):
    shutil.rmtree(results)
    assert not evaluate_all(small, results)


def test_a_job_that_is_not_done_decides_nothing(small, results):
    (results / "runs" / "a-seed2" / "scores.csv").unlink()
    claims = {claim.id: claim for claim in ledger.read(small)}
    assert ledger.evaluate(claims["order"], results) is None


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('sure = "A"', 'sure = "D"', "claim figure: unknown sure 'D'"),
        ('id = "order"', 'id = "figure"', "claim figure stands there twice"),
        ('setting = "theirs"', 'setting = ""', "claim memory: has no setting"),
        ('setting = "theirs"\n', "", "claim memory: expected the keys"),
        ("tolerance = 0.2", 'tolerance = "small"', "claim figure: expected a tolerance"),
        ('expect = ">"', 'expect = "above"', "'above' is no relation"),
        ('test = "difference"\n', "", "claim order: compares without a test"),
        ('test = "difference"', 'test = "order"', "claim order: unknown test 'order'"),
        (
            'test = "difference"',
            'test = "equality"',
            "claim order: a permutation shows no equality",
        ),
        ('column = "haar_observed"', 'column = "haar_p"', "claim figure: compares without a test"),
        ('runs_on = "two cores"', 'runs_on = "nowhere"', "claim figure: has a command, but runs"),
        ('runs_on = "a GPU"', 'runs_on = "a phone"', "claim memory: unknown runs_on 'a phone'"),
        ('because = "large"', 'because = ""', "claim memory: has no because"),
        ("expect = 0.3", 'expect = "<= x"', "'<= x' is no relation"),
        ('sure = "B"', 'sure = "C"', "claim statement: is quoted from memory (C)"),
        ('command = ""', 'command = "make test"', "from memory|come together"),
        ("[claim.check]", "[claim.test]", "claim figure: expected the keys"),
        ('id = "figure"', "id = figure", "damaged"),
    ],
)
def test_a_damaged_ledger_is_told(tmp_path, old, new, message):
    file = tmp_path / "claims.toml"
    file.write_text(SMALL.replace(old, new, 1))
    with pytest.raises(InputError, match=re.escape(message).replace(r"\|", "|")):
        ledger.read(file)


def test_a_mistake_takes_one_line(run_program, small):
    small.write_text(SMALL + "\n[[claim")  # cut off in the middle of a table
    done = run_program("claims", f"--ledger={small}")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"claims: {small}: damaged")


def test_a_damaged_result_or_a_missing_ledger_is_named(small, results):
    (results / "verdict.csv").write_text("model,metric\na,mig\n")
    with pytest.raises(InputError, match=r"verdict\.csv: missing, damaged"):
        evaluate_all(small, results)
    with pytest.raises(InputError, match=r"none\.toml: missing or unreadable"):
        ledger.read(small.with_name("none.toml"))


def test_a_line_that_cannot_be_rewritten_is_told():
    text = SMALL.replace('measured = ""', 'measured = """\n"""', 1)
    finding = ledger.Finding("value 1", "reproduced")
    with pytest.raises(InputError, match="one line"):
        ledger.fill_in(text, {"figure": finding})


# The rule by which a test decides.

DIFFERENCE = {"test": "difference", "p": ["p_value"]}
EQUALITY = {"test": "equality", "p": ["haar_p", "haar_active_p"]}


def judged(folder: Path, row: dict[str, float], **keys) -> ledger.Finding:
    """The finding of a check of one row, x.csv."""
    folder.mkdir(exist_ok=True)
    pd.DataFrame([{"value": 1.0, "metric": "mig"} | row]).to_csv(folder / "x.csv", index=False)
    table = {"file": "x.csv", "column": "value", "where": {"metric": "mig"}} | keys
    finding = claim_checks.evaluate(claim_checks.parse(table, "claim"), 0.0, folder)
    assert finding is not None
    return finding


@pytest.mark.parametrize(
    ("p", "stand_in", "verdict"),
    [
        (0.05, False, "reproduced"),
        (0.051, False, "inconclusive"),
        (0.22, False, "inconclusive"),
        (0.949, False, "inconclusive"),
        (0.951, False, "contradicted"),
        (0.951, True, "not reproduced"),
        (0.05, True, "reproduced"),
        (float("nan"), False, "inconclusive"),
    ],
)
def test_a_difference_is_reproduced_by_its_own_test_alone(tmp_path, p, stand_in, verdict):
    finding = judged(tmp_path, {"p_value": p}, stand_in=stand_in, **DIFFERENCE)
    assert finding.verdict == verdict
    assert ("inconclusive since" in finding.measured) == (verdict == "inconclusive")


@pytest.mark.parametrize(
    ("p", "effects", "verdict"),
    [
        ((0.01, 0.05), (0.0, 0.001, 0.002), "contradicted"),
        ((0.3, 0.4), (0.0, 0.001, 0.002), "reproduced"),
        # Student's 90% quantile with two degrees of freedom is 2.92: the half width is .0337.
        ((0.3, 0.4), (-0.02, 0.0, 0.02), "inconclusive"),
        ((0.3, 0.4), (0.03, 0.031, 0.032), "inconclusive"),
        ((0.04, 0.4), (-0.02, 0.0, 0.02), "inconclusive"),
        ((0.3, 0.4), None, "inconclusive"),
    ],
)
def test_equality_takes_an_interval_within_the_margin(tmp_path, p, effects, verdict):
    keys = dict(EQUALITY)
    if effects is not None:
        keys["effects"] = "runs/a-seed*/basis_test.csv"
        for seed, effect in enumerate(effects):
            run = tmp_path / "runs" / f"a-seed{seed}"
            run.mkdir(parents=True)
            row = {"metric": "mig", "observed": 0.1 + effect, "null_mean": 0.1}
            frame = pd.DataFrame([{"family": f} | row for f in ("haar", "haar_active")])
            frame.to_csv(run / "basis_test.csv", index=False)
    finding = judged(tmp_path, {"haar_p": p[0], "haar_active_p": p[1]}, **keys)
    assert finding.verdict == verdict
    assert ("inconclusive since" in finding.measured) == (verdict == "inconclusive")


@pytest.mark.parametrize(
    ("a", "b", "verdict"),
    [
        ((4, 5, 6), (1, 2, 3), "reproduced"),  # 1 of the 20 ways to choose three of six
        ((3, 5, 6), (1, 2, 4), "inconclusive"),  # 2 of 20
        ((1, 2, 3), (4, 5, 6), "contradicted"),
    ],
)
def test_a_comparison_is_permuted_over_seeds(tmp_path, a, b, verdict):
    rows = [
        {"arm": arm, "seed": seed, "value": value}
        for arm, values in {"a": a, "b": b}.items()
        for seed, value in [*enumerate(values), (None, sum(values) / 3)]
    ]
    pd.DataFrame(rows).to_csv(tmp_path / "y.csv", index=False)
    table = {"file": "y.csv", "column": "value", "where": {"arm": "a"}, "test": "difference"}
    table |= {"expect": ">", "against": {"where": {"arm": "b"}}}
    finding = claim_checks.evaluate(claim_checks.parse(table, "claim"), 0.0, tmp_path)
    assert finding is not None
    assert finding.verdict == verdict
    assert "(mean of 3" in finding.measured  # the row over seeds is none of them
    assert "seeds 0 1 2" in finding.measured


def test_a_tested_row_says_its_level_and_what_alone_stands_for_the_claim(tmp_path):
    p = {"haar_p": 0.01, "haar_active_p": 0.02}
    told = judged(tmp_path, p, **EQUALITY, by="MIG").measured
    assert "by MIG alone, tested at 0.05, not corrected (" in told
    of_figure = judged(tmp_path, {}, expect=1.0, where={"metric": "mig"}).measured
    assert "tested at" not in of_figure


def test_every_tested_row_of_the_ledger_says_its_level():
    for claim in CLAIMS:
        tested = bool(claim.check and claim.check.test and claim.measured)
        assert ("tested at 0.05, not corrected" in claim.measured) == tested, claim.id
    of_viewers = [c for c in CLAIMS if c.source == "crossvalidated2019" and c.measured]
    assert of_viewers
    assert all(c.check and f"by {c.check.by} alone" in c.measured for c in of_viewers)


def test_no_p_value_of_the_ledger_above_the_level_is_reproduced():
    for claim in CLAIMS:
        if claim.check is None or not claim.check.test or claim.verdict != "reproduced":
            continue
        named = re.findall(r"\b(?:p|p_value|haar_p|haar_active_p) ([\d.e-]+\d)", claim.measured)
        assert named, claim.id
        if claim.check.test == "difference":
            assert all(float(p) <= 0.05 for p in named), claim.id
        else:
            assert "90% intervals" in claim.measured, claim.id
