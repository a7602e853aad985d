# framesearch: every command that people and CI use. `make help` lists them.

.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c

# The first Python of 3.11 to 3.13 that really starts; name another with PYTHON=...
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	"$$p" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
INSTALLED := .venv/.installed
export PLAYLIST ?=
export FOLDER ?=
export SSCD ?=
export OPTIONS ?=

.PHONY: help env up down status test check format bench accuracy learning corpus lock system clean

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo '  PLAYLIST="url-or-folder ..." names what `up` ingests; settings are explained in airflow_configs.env'

env: $(INSTALLED) ## build the Python environment in .venv

# uv comes from the lock, by hash; then everything else does.
$(INSTALLED): requirements.lock pyproject.toml
	@[ -n "$(PYTHON)" ] || { echo "framesearch needs Python 3.11 to 3.13: install one, or name it with PYTHON=/path/to/python"; exit 1; }
	@echo "building the environment in .venv (about 3 GB, once) ..."
	@$(BIN)/python -c '' 2>/dev/null || $(PYTHON) -m venv --clear .venv || { \
		echo "$(PYTHON) can't make a virtual environment: trying the system's package for it"; \
		$(call install_system,python3-venv) && $(PYTHON) -m venv --clear .venv; }
	@awk '/^[^ ]/ {ours = /^uv==/} ours' requirements.lock > .venv/uv.lock
	@[ -x $(BIN)/uv ] || $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r .venv/uv.lock
	@$(BIN)/uv pip sync --quiet --require-hashes --python $(BIN)/python requirements.lock
	@$(BIN)/uv pip install --quiet --no-deps --no-build-isolation --python $(BIN)/python -e .
	@touch $@

up: env ## start Airflow, MLflow and the page; ingest PLAYLIST (default: a small demo), train, index, answer
	@set -f; if [ -e "$$PLAYLIST" ]; then set -- "$$PLAYLIST"; else set -- $$PLAYLIST; fi; \
		$(BIN)/python -m embedded_stack up "$$@"

down: ## stop everything that `up` started; the data stays
	@if [ -x $(BIN)/python ]; then $(BIN)/python -m embedded_stack down; else echo "nothing was ever started here"; fi

status: env ## what runs, what is ingested, which model and index serve
	@$(BIN)/python -m embedded_stack status
	@$(BIN)/framesearch status

test: env system ## pass all tests
	@$(BIN)/python -m pytest

check: env ## lint, formatting, types, who may import whom
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

format: env ## format the code and mend what the linter can
	@$(BIN)/ruff check --fix --quiet . || true
	@$(BIN)/ruff format .

bench: env ## measure speed and memory; prints Markdown tables
	@for benchmark in benchmarks/*.py; do echo "## $$benchmark"; $(BIN)/python $$benchmark; done

accuracy: env ## measure how often framesearch and its peers find frames of the videos in FOLDER, SSCD=file.onnx too
	@[ -n "$$FOLDER" ] || { echo 'name a folder of videos: make accuracy FOLDER=videos [SSCD=file.onnx] [OPTIONS="--bases 30"]'; exit 1; }
	@$(BIN)/python -m benchmarks.accuracy "$$FOLDER" $${SSCD:+--sscd "$$SSCD"} --severities 12 --mlflow $$OPTIONS

learning: env ## measure accuracy against CPU-minutes of training on the videos in FOLDER, and what late films lose
	@[ -n "$$FOLDER" ] || { echo 'name a folder of videos: make learning FOLDER=videos [OPTIONS="--minutes 1,2,4"]'; exit 1; }
	@$(BIN)/python -m benchmarks.learning "$$FOLDER" $$OPTIONS

corpus: env ## write the table of the video corpus into docs/video.md
	@PYTHONPATH=tests/support $(BIN)/python -m video_corpus

lock: env ## resolve requirements.lock anew from pyproject.toml
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--all-extras --upgrade pyproject.toml --output-file requirements.lock

# What tests need of the system: a browser for the page's tests.
system:
	@command -v chromium chromium-browser google-chrome >/dev/null || { $(call install_system,chromium); }

clean: ## delete the environment and the caches (never the data)
	@rm -rf .venv build ./*.egg-info .pytest_cache .ruff_cache .mypy_cache .import_linter_cache
	@find . -name __pycache__ -not -path './.framesearch/*' -prune -exec rm -rf {} +

# install_system(packages): with apt where that is allowed, else say what is missing.
define install_system
if command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
	echo "installing $(1) ..."; apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $(1) >/dev/null; \
elif command -v apt-get >/dev/null && sudo -n true 2>/dev/null; then \
	echo "installing $(1) ..."; sudo apt-get update -qq && sudo DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $(1) >/dev/null; \
else echo "please install $(1), then run this again"; exit 1; fi
endef
