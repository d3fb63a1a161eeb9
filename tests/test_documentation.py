"""README and docs/: every command runs, or its flags are right, or it is told why neither is tried.

The flags of every command are held against the program's own, and what `make` would run is listed.
The pages on data, representations, decoders and disentanglement_lib are run besides, command by
command, in a folder with what they presume; test_without_tensorflow.py runs README's lines,
test_extending.py the examples of extending, and test_celeba.py the first command on CelebA.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
import sys
import tomllib
import types
from pathlib import Path

import numpy as np
import pages
import pandas as pd
import pytest
from absl import flags
from pages import PAGES, Command
from programs import ROOT

import data
from data import dsprites_variants, faces, mpi3d
from models import objectives
from models.registry import MODELS
from paper import command_reference
from reproduce.basis import bases, representation
from reproduce.metrics import registry
from reproduce.pipeline import jobs
from reproduce.pipeline.profiles import PROFILES
from reproduce.training import recipes

COMMANDS = [command for page in PAGES for command in pages.commands(page)]
PROGRAMS = command_reference.programs()
# What is not even looked at, by how it begins, and why.
NOT_RUN = {
    "git clone": "needs a network",
    "git -C": "needs what was cloned",
    ".venv/bin/pip install": "needs a network; its extras are looked up",
    "pip install": "needs a network; its extras are looked up",
    ".venv/bin/tensorboard": "a server, and not ours",
}
# What makes a run small; of a flag that is given twice, the last one counts.
SMALL_TRAINING = (
    *("--dataset=npz", "--data_file=images.npz", "--num_steps=40", "--set=batch_size=32"),
    *("--set=log_every=40", "--set=checkpoint_every=40", "--set=learning_rate=3e-3"),
)
# Of a VAE, whose latents are to be active so soon.
SMALL_VAE = ("--set=network=patch", "--set=objective=autoencoder", "--num_steps=120")
SMALLER = {
    "reproduce.train": SMALL_TRAINING,
    "reproduce.basis_test": ("--num_bases=19",),
    "reproduce.score": ("--num_points=4",),
    "reproduce.quality": ("--num_images=16",),
    "reproduce.purity_test": (
        *("--num_bases=2", "--num_linear_bases=9", "--num_images=2", "--num_directions=2"),
    ),
}
MY_MODEL = """
import numpy as np

PICTURES = np.random.default_rng(0).uniform(0, 0.1, size=(10, 16, 16, 1))

def decode(latents):
    return np.clip(np.tensordot(latents, PICTURES, 1) + 0.5, 0, 1)
"""


def test_readme_is_short():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 200


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for link in pages.links(page):
        file, _, anchor = link.partition("#")
        target = (page.parent / file).resolve() if file else page
        assert target.exists(), f"{page.name}: {link}"
        if anchor:
            assert anchor in pages.anchors(target), f"{page.name}: {link}"


def test_readme_leads_to_every_page():
    linked = {(ROOT / link.partition("#")[0]).resolve() for link in pages.links(PAGES[0])}
    assert {page for page in PAGES[1:] if page not in linked} == set()


def why_not_run(command: Command) -> str | None:
    """The reason of NOT_RUN for a command, if there is one."""
    line = " ".join(command.words)
    return next((why for start, why in NOT_RUN.items() if line.startswith(start)), None)


def test_every_command_is_of_a_known_kind():
    unknown = [
        str(command)
        for command in COMMANDS
        if not (command.module or command.words[0] == "make" or why_not_run(command))
    ]
    assert unknown == []
    starts = {
        start: [c for c in COMMANDS if " ".join(c.words).startswith(start)] for start in NOT_RUN
    }
    assert [start for start, found in starts.items() if not found] == []


def of_modules() -> list[Command]:
    return list(dict.fromkeys(command for command in COMMANDS if command.module))


@pytest.mark.parametrize("command", of_modules(), ids=str)
def test_flags_are_the_programs_own(command):
    assert command.module in PROGRAMS
    _, own = command_reference.load(command.module)
    try:
        rest = own([command.module, *command.flags])[1:]
    except flags.Error as error:
        pytest.fail(f"{command}: {error}")
    assert rest == []
    given = {flag.removeprefix("--").partition("=")[0] for flag in command.flags}
    values = {name: own[name].value for name in given}
    for name, known in (
        ("dataset", data.DATASETS),
        ("metrics", registry.METRICS),
        ("profile", PROFILES),
    ):
        for value in np.atleast_1d(values.get(name, [])):
            assert value in known or value == "..."
    if "sweep" in values:
        assert (ROOT / values["sweep"]).is_file()
    if command.module == "reproduce.train":
        recipe = recipes.find(own["model"].value, own["recipe"].value)
        recipes.override(recipe, dict(item.split("=", 1) for item in own["set"].value))


def of_make() -> list[Command]:
    return list(dict.fromkeys(command for command in COMMANDS if command.words[0] == "make"))


@pytest.mark.parametrize("command", of_make(), ids=str)
def test_make_knows_what_it_is_to_make(command):
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    variables = [word.partition("=")[0] for word in command.words[1:] if "=" in word]
    for name in variables:
        assert re.search(rf"\$\(({name}|call quoted,\$\({name}\))\)|\$\(if \$\({name}\)", makefile)
    done = subprocess.run(
        ["make", "--dry-run", *command.words[1:]],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_extras_that_are_to_be_installed_exist():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    text = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    extras = set(re.findall(r'"\.\[(\w+)\]"', text))
    assert extras
    assert extras <= project["optional-dependencies"].keys()


def test_nothing_that_can_be_chosen_is_undocumented():
    docs = {page.stem: page.read_text(encoding="utf-8") for page in PAGES}
    known = {
        "data": [*data.DATASETS, *dsprites_variants.VARIANTS, *mpi3d.VARIANTS, *faces.VARIANTS],
        "metrics": registry.METRICS,
        "representation": bases.FAMILIES,
        "training": [*MODELS, *objectives.OBJECTIVES],
        "commands": [*PROFILES, *PROGRAMS],
    }
    missing = [
        f"{name} in docs/{page}.md"
        for page, names in known.items()
        for name in filter(None, names)
        if f"`{name}`" not in docs[page]
    ]
    assert missing == []


def test_betas_of_recipes_are_as_told():
    rows = re.findall(
        r"^\| (`\w+`(?:, `\w+`)*) \| ([\d.]+)", (ROOT / "docs/training.md").read_text(), re.M
    )
    told = {name: float(beta) for names, beta in rows for name in re.findall(r"`(\w+)`", names)}
    vaes = {name: r for name, r in recipes.RECIPES.items() if r.model == "beta_vae"}
    with_beta = {n: r for n, r in vaes.items() if r.settings.objective != "capacity"}
    assert told == {n: r.settings.beta for n, r in with_beta.items() if n != "smoke"}


@pytest.fixture(scope="module")
def workshop(tmp_path_factory, tiny) -> Path:
    """A folder with what the pages that are run presume: images, representations, a decoder."""
    folder = tmp_path_factory.mktemp("workshop")
    shutil.copy(tiny, folder / "images.npz")
    (folder / "my_model.py").write_text(MY_MODEL)
    for seed, name in enumerate("ab"):
        rng = np.random.default_rng(seed)
        factors = np.random.default_rng(9).integers(5, size=(300, 3))
        np.savez(
            folder / f"{name}.npz",
            latents=factors + rng.normal(size=(300, 3)),
            factors=factors,
            factor_names=["size", "colour", "angle"],
            factor_sizes=[5, 5, 5],
        )
    return folder


@pytest.fixture(scope="module")
def follow(workshop):
    """Runs commands one after the other in the workshop, each made small."""
    log = workshop / "log.txt"
    with contextlib.chdir(workshop), pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT))
        leash = jobs.Leash(is_warm=True)

        def follow(*commands: Command) -> None:
            for command in commands:
                smaller = SMALLER.get(command.module, ())
                if command.module == "reproduce.train" and "--model" not in str(command):
                    smaller += SMALL_VAE
                arguments = (command.module, *command.flags, *smaller)
                assert leash.run(jobs.Step(arguments, log), log, {}) == 0, log.read_text()

        yield follow
        leash.close()


def blocks(name: str) -> list[Command]:
    """The commands of a page's blocks that run a module."""
    return [command for command in pages.blocks(ROOT / "docs" / name) if command.module]


@pytest.fixture(scope="module")
def own_run(follow, workshop) -> Path:
    """The run of the page on data of one's own, whose commands are all run."""
    commands = [c for c in blocks("data.md") if "runs/mine" in str(c)]
    assert len(commands) == 6
    follow(*commands)
    return workshop / "runs" / "mine"


def test_the_page_on_own_data_runs(own_run):
    assert "pos_x" in (own_run.parent / "report.html").read_text(encoding="utf-8")


def test_the_page_on_decoders_runs(follow, workshop, own_run):
    shutil.copytree(own_run, workshop / "runs" / "a")
    shutil.copy(own_run / "representation.npz", workshop)
    follow(*blocks("decoder.md"))
    for folder in ("runs/a", "results/mine"):
        purity = pd.read_csv(workshop / folder / "traversal_purity.csv")
        assert purity["p_value"].dropna().between(0, 1).all()
    decoded = representation.load(workshop / "decoder.npz")
    assert set(decoded.factor_names) <= {"pos_y", "pos_x"}
    assert (workshop / "decoder" / "basis_test.csv").is_file()
    assert (workshop / "runs" / "a" / "quality.csv").is_file()


def test_the_page_on_representations_runs(follow, workshop, own_run):
    saving, _ = pages.code(ROOT / "docs" / "representation.md")
    exec(saving, {})
    test, score, *others, verdict = blocks("representation.md")
    follow(test, score)
    assert set(pd.read_csv("scores.csv")["metric"]) == {"mig", "modularity", "sap"}
    follow(*others)
    assert set(pd.read_csv("scores.csv")["metric"]) == {"distance_to_orthogonality"}
    for name in "ab":  # what the page presumes of the last command
        words = (*test.words[:3], f"--representation={name}.npz", f"--output={name}/basis_test.csv")
        follow(Command(test.page, words))
    follow(verdict)
    assert len(pd.read_csv(workshop / "udr.csv")) > 0
    assert set(pd.read_csv(workshop / "verdict.csv")["model"]) == {"mine", "theirs"}


def test_the_page_on_disentanglement_lib_runs(follow, workshop, monkeypatch):
    points = 200
    rng = np.random.default_rng(0)
    sizes = [3, 6, 40, 32, 32]

    class Data:
        factors_num_values = sizes

    def sample(given, encode, num_points, random_state, batch_size):
        assert isinstance(given, Data)
        assert encode(np.zeros((2, 64, 64, 1))).shape == (2, 10)
        factors = np.stack([rng.integers(size, size=points) for size in sizes])
        return rng.normal(size=(10, points)), factors

    @contextlib.contextmanager
    def module(path):
        assert path == "a_model/tfhub"
        yield lambda inputs, signature, as_dict: {"default": np.zeros((len(inputs["images"]), 10))}

    named = types.SimpleNamespace(get_named_ground_truth_data=lambda name: Data())
    library = {
        "tensorflow_hub": {"eval_function_for_module": module},
        "disentanglement_lib": {},
        "disentanglement_lib.data": {},
        "disentanglement_lib.data.ground_truth": {"named_data": named},
        "disentanglement_lib.evaluation": {},
        "disentanglement_lib.evaluation.metrics": {
            "utils": types.SimpleNamespace(generate_batch_factor_code=sample)
        },
    }
    for name, content in library.items():
        stand_in = types.ModuleType(name)
        vars(stand_in).update(content)
        monkeypatch.setitem(sys.modules, name, stand_in)
    (code,) = pages.code(ROOT / "docs" / "disentanglement_lib.md")
    exec(code, {"model_dir": "a_model"})
    assert representation.load(workshop / "representation.npz").latents.shape == (points, 10)
    follow(*blocks("disentanglement_lib.md"))
    assert set(pd.read_csv(workshop / "scores.csv")["metric"]) == {
        "mig",
        "sap",
        "modularity",
        "irs",
    }
