# All that a person types. Every target makes .venv first where it is missing or out of date.
# GNU make 3.81 (macOS) is enough.

.DEFAULT_GOAL := help
.PHONY: run test fuzz oldest lab demo bench evidence lint format lock clean help

# XGBoost's idle threads then sleep instead of spinning: on a busy machine that is seconds instead of minutes.
export OMP_WAIT_POLICY = passive

run: .venv/ready ## make the environment, render all notebooks on the embedded data
	.venv/bin/workbench render --all

test: lint ## lint, types, unit tests, doctests, notebooks
	.venv/bin/pytest

# CASES=5000 SEED=7: the seed is drawn where none is given, and printed.
fuzz: .venv/ready ## bad input of every kind, 5,000 cases: one sentence or a right answer
	.venv/bin/python tests/fuzz/test_fuzz.py $(or $(CASES),5000) $(SEED)

# The bounds in pyproject.toml are what passed here. mypy reads the libraries of .venv, since NumPy's own types differ
# from version to version. Without PYENV_VERSION a shim called python3.12 obeys .python-version, and fails.
oldest: .venv/ready ## test with the oldest Python and packages that pyproject.toml allows
	@folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && \
	.venv/bin/python -m venv "$$folder/uv" && \
	"$$folder/uv/bin/pip" install -qq --disable-pip-version-check uv && \
	PYENV_VERSION=3.12 "$$folder/uv/bin/uv" venv --quiet --python 3.12 "$$folder/oldest" && \
	"$$folder/uv/bin/uv" pip install --python "$$folder/oldest" --resolution lowest-direct \
		--editable '.[cpu,parquet,dev]' && \
	"$$folder/oldest/bin/ruff" check --no-cache && \
	"$$folder/oldest/bin/mypy" --cache-dir "$$folder/types" --python-executable .venv/bin/python && \
	"$$folder/oldest/bin/pytest" -p no:cacheprovider

# The server's root is the repository, so that cards and figures are within reach; its first view is notebooks/.
lab: .venv/ready ## open JupyterLab on this machine only
	.venv/bin/jupyter-lab --ip=127.0.0.1 --LabApp.default_url=/lab/tree/notebooks \
		$(if $(filter 0,$(shell id -u)),--allow-root)

demo: .venv/ready ## a small site on this machine that runs both exported policies as A/B tests
	@.venv/bin/python examples/site/prepare.py examples/site/demo && \
	.venv/bin/python examples/site/serve.py examples/site/demo

bench: .venv/ready ## run the benchmarks one by one
	@set -- benchmarks/bench_*.py; \
	if [ ! -e "$$1" ]; then echo "There is no benchmark yet: benchmarks/ holds no bench_*.py."; exit 0; fi; \
	for file in "$$@"; do echo "== $$file"; .venv/bin/python "$$file" || exit 1; done

evidence: .venv/ready ## try the verdicts on every set, many seeds and null worlds; goes on where it was stopped
	.venv/bin/python benchmarks/evidence.py

lint: .venv/ready ## style, format and types, changing nothing
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy

format: .venv/ready ## rewrite the code in the house format
	.venv/bin/ruff check --fix-only
	.venv/bin/ruff format

# Does not need .venv: a lock that cannot be installed must be repairable. Pins that still fit are kept;
# `make lock UPGRADE=--upgrade` looks for newer ones. 3.12 is the oldest Python that the project runs on.
lock: ## pin every package by version and hash in requirements.lock
	@folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && python=$$(.ci/find-python) && \
	"$$python" -m venv "$$folder" && "$$folder/bin/pip" install -qq --disable-pip-version-check uv && \
	"$$folder/bin/uv" pip compile --quiet --universal --generate-hashes --python-version 3.12 \
		--extra cpu --extra dev --custom-compile-command "make lock" $(UPGRADE) \
		pyproject.toml --output-file requirements.lock

clean: ## remove .venv, a fetched Python, caches, downloads and everything rendered
	rm -rf .venv .python .mypy_cache .pytest_cache .ruff_cache build dist *.egg-info
	rm -rf datasets/cache notebooks/rendered notebooks/.ipynb_checkpoints examples/site/demo
	find . -name __pycache__ -prune -exec rm -rf {} +
	[ ! -d figures ] || find figures -mindepth 1 -maxdepth 1 ! -name readme -exec rm -rf {} +

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.venv/ready: pyproject.toml requirements.lock .ci/venv .ci/find-python
	@.ci/venv
