# Every target builds the environment it needs: a machine with Python 3.11 or newer and make is enough.

SHELL       := bash
.SHELLFLAGS := -o pipefail -c

PYTHON ?= python3
UV     ?= uv
ARGS   ?=

VENV      := .venv
BIN       := $(VENV)/bin
DEMO      := .venv-demo
BROWSER   := browser/node_modules/.installed
SITE      := .venv-docs
AZURITE   := tests/azurite/node_modules/.installed
BASE      := build/base-image/files.tar
NATIVE    := $(wildcard src/hermetic/rlwe/native/*pp) src/hermetic/rlwe/native/CMakeLists.txt
HOSTS     := $(patsubst %/requirements.lock,%/.venv/.installed,$(wildcard tests/hosts/*/requirements.lock))
AZUREML   := tests/hosts/azureml/.venv
TORCH     := tests/hosts/pytorch/.venv
TORCH_CPU := torch==2.13.0+cpu
PACKAGES  := packages/encrypted-inference
EDGES     := $(addprefix tests/,compiler circuits features keys rlwe test_client.py test_model.py test_signature.py) \
  --ignore tests/features/test_backbone.py
LOCK       = $(UV) pip compile --universal --python-version 3.11 --fork-strategy fewest --generate-hashes \
  --no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock' --quiet
SUDO      := $(shell [ "$$(id -u)" = 0 ] || echo sudo)
APT       := $(SUDO) sh -c 'apt-get update -qq && apt-get install -y -qq --no-install-recommends "$$@"' apt

PIP        = $(@D)/bin/python -m pip --disable-pip-version-check
# What Hermetic's own packages are built with is in the locks, so this step downloads nothing.
INSTALL    = $(PIP) install --quiet --no-index --no-deps --no-build-isolation

# Packages are installed without bytecode: what is imported is compiled then, and kept for the hundreds of processes that
# import it again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help venv demo test quick oldest newest browser azurite nginx base-image hosts page bench docs lint types lock clean

help:  ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-8s  %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

venv: $(VENV)/.installed  ## Build .venv from requirements.lock; does nothing when it is up to date

define CHECK_PYTHON
@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
  found=$$($(PYTHON) --version 2>&1) || found="not there, or does not start"; \
  echo "Hermetic needs Python 3.11 or newer. Got $(PYTHON) instead: $$found." >&2; \
  echo "Name another one, for example: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; \
  exit 1; }
endef

# What the native ring is compiled with, from Debian's packages where there is none.
define CHECK_COMPILER
@command -v c++ >/dev/null || command -v g++ >/dev/null || command -v clang++ >/dev/null \
  || { command -v apt-get >/dev/null && $(APT) g++; } || { \
  echo "Hermetic's native ring needs a C++17 compiler. Got none: install g++ or clang." >&2; exit 1; }
@header=$$($(@D)/bin/python -c 'import sysconfig; print(sysconfig.get_path("include") + "/Python.h")'); \
  test -e "$$header" || { command -v apt-get >/dev/null && $(APT) python3-dev && test -e "$$header"; } || { \
  echo "Hermetic's native ring needs Python's headers. Got no $$header: install python3-dev, or its like." >&2; exit 1; }
endef

# A new lock starts an environment afresh, so nothing that it dropped stays behind. pip's words become one line that
# moves on: how many packages it has come to, and which.
define INSTALL_LOCKED
$(CHECK_PYTHON)
@echo "$(@D): installing the $$(grep -c '^[^ #]*==' $<) packages of $<"
@$(PYTHON) -m venv --clear $(@D)
@PYTHONUNBUFFERED=1 $(PIP) install --progress-bar off --no-compile --require-hashes -r $< | { \
  n=0; while read -r word name rest; do case "$$word" in \
    Collecting) n=$$((n + 1)); printf '\r%-60s' "  $$n: $${name%%=*}" ;; \
    Installing) printf '\r%-60s' "  unpacking $$n packages" ;; \
  esac; done; printf '\r%-60s\r' ''; }
endef

# The locked packages, and then Hermetic itself, editable, with its native ring compiled.
$(VENV)/.locked: requirements.lock
$(DEMO)/.locked: demo.lock
$(VENV)/.locked $(DEMO)/.locked:
	$(INSTALL_LOCKED)
	@touch $@

$(VENV)/.installed: OURS := -e . -e $(PACKAGES)
$(DEMO)/.installed: OURS := -e .
$(VENV)/.installed $(DEMO)/.installed: %/.installed: %/.locked pyproject.toml $(PACKAGES)/pyproject.toml $(NATIVE)
	$(CHECK_COMPILER)
	@echo "$(@D): compiling Hermetic's native ring"
	@$(INSTALL) $(OURS)
	@touch $@

demo: $(DEMO)/.installed  ## Run the demo, in a small environment of its own; options as in: make demo ARGS="--images 5"
	@$(DEMO)/bin/hermetic demo $(ARGS)

# One process more than the cores of a small machine: many tests wait, for a service or a browser.
test: venv browser azurite nginx base-image hosts $(SITE)/.installed  ## Run the whole test suite; ARGS go to pytest
	HERMETIC_BROWSER=required OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -n 3 --dist loadfile $(ARGS)

quick: venv lint types  ## Check style, types and the tests that only compute, in under 2 minutes; ARGS go to pytest
	OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest --quick -q -n 2 --dist loadfile $(ARGS)

oldest: .venv-oldest/.installed  ## Test the compiler and the arithmetic on the oldest Python and libraries that are allowed
newest: .venv-newest/.installed  ## The same on the newest
oldest newest:
	OPENBLAS_NUM_THREADS=1 .venv-$@/bin/python -m pytest -q -n 2 --dist loadfile $(EDGES) $(ARGS)

# A Python that is not here comes from uv, where that is, or else is named; nothing is left out in silence.
.venv-%/.installed: tests/edges.py pyproject.toml $(NATIVE)
	@wanted=$$($(PYTHON) tests/edges.py $* python); \
	  if command -v $$wanted >/dev/null; then $$wanted -m venv --clear $(@D); \
	  elif command -v $(UV) >/dev/null; then $(UV) venv --quiet --seed --clear --python $$wanted $(@D); \
	  else echo "make $* needs $$wanted, or uv to fetch it. Got neither: nothing was tested." >&2; exit 1; fi
	$(CHECK_COMPILER)
	$(PYTHON) tests/edges.py $* requirements > $(@D)/requirements.txt
	$(PIP) install --quiet --only-binary :all: -r $(@D)/requirements.txt
	$(INSTALL) -e .
	@touch $@

browser: $(BROWSER)  ## Install what the browser's client is built and tested with: Node packages and Chromium

# Debian's Chromium and npm, where they are missing; npm brings Node 22 itself.
$(BROWSER): browser/package-lock.json
	@command -v chromium >/dev/null || $(APT) chromium
	@command -v npm >/dev/null || $(APT) npm
	cd browser && npm ci --no-audit --no-fund
	@touch $@

azurite: $(AZURITE)  ## Install Azurite, the blob store that the tests of the key store use

$(AZURITE): tests/azurite/package-lock.json
	@command -v npm >/dev/null || $(APT) npm
	cd tests/azurite && npm ci --no-audit --no-fund
	@touch $@

nginx:  ## Install nginx, the load balancer that the tests of replicas use
	@command -v nginx >/dev/null || test -x /usr/sbin/nginx || $(APT) nginx

base-image: $(BASE)  ## Build a Debian with Python: the base of the images that the tests build

$(BASE):
	@command -v mmdebstrap >/dev/null && command -v buildah >/dev/null || $(APT) mmdebstrap buildah debian-archive-keyring
	@mkdir -p $(@D)
	$(SUDO) mmdebstrap --quiet --variant=minbase --format=tar --include=python3,python3-venv,ca-certificates bookworm $@.part
	@mv $@.part $@

hosts: $(HOSTS) $(AZUREML)/.hermetic $(TORCH)/.hermetic  ## Install the programs of others that the tests run, each in its own environment

tests/hosts/%/.venv/.installed: tests/hosts/%/requirements.lock
	$(PYTHON) -m venv --clear $(@D)
	$(PIP) install --quiet --require-hashes -r $<
	@touch $@

# Scripts there import Hermetic, so these hosts have it too, editable as in .venv.
$(AZUREML)/.hermetic: $(AZUREML)/.installed
$(TORCH)/.hermetic: $(TORCH)/.torch
$(AZUREML)/.hermetic $(TORCH)/.hermetic: pyproject.toml $(PACKAGES)/pyproject.toml $(NATIVE)
	$(CHECK_COMPILER)
	$(INSTALL) -e . -e $(PACKAGES)
	@touch $@

# The build for CPUs, from where pip looks, or else from PyTorch: the one on PyPI brings gigabytes of CUDA.
$(TORCH)/.torch: $(TORCH)/.installed Makefile
	pip="$(PIP) install --quiet --no-deps"; \
	$$pip $(TORCH_CPU) 2>/dev/null || $$pip $(TORCH_CPU) --index-url https://download.pytorch.org/whl/cpu
	@touch $@

page: browser  ## Build the page that the service shows at / into src/hermetic/serve/assets
	cd browser && npm run page

bench: venv  ## Run the benchmarks; ARGS go to them
	$(BIN)/python -m benchmarks $(ARGS)

docs: $(SITE)/.installed  ## Build the site of the documentation into build/docs/site, strictly
	$(SITE)/bin/python docs/make_site.py

$(SITE)/.installed: docs/site/requirements.lock
	$(PYTHON) -m venv --clear $(SITE)
	$(SITE)/bin/python -m pip --disable-pip-version-check install --quiet --require-hashes -r $<
	@touch $@

lint: venv  ## Check style and formatting
	$(BIN)/python -m ruff check
	$(BIN)/python -m ruff format --check

types: venv  ## Check the types
	$(BIN)/python -m mypy --strict src $(PACKAGES)/src

lock:  ## Pin every dependency again in requirements.lock (needs uv; newer versions: ARGS=--upgrade)
	@command -v $(UV) >/dev/null || { echo "make lock needs uv: pip install uv, or make lock UV=/path/to/uv" >&2; exit 1; }
	$(LOCK) pyproject.toml --all-extras --group dev --output-file requirements.lock $(ARGS)
	$(LOCK) pyproject.toml --extra demo --group build --constraint requirements.lock --no-annotate \
	  --output-file demo.lock $(ARGS)
	$(LOCK) pyproject.toml --extra serve --constraint requirements.lock --no-annotate \
	  --output-file src/hermetic/deploy/serve.lock $(ARGS)
	$(LOCK) pyproject.toml src/hermetic/deploy/score.in --no-annotate --output-file src/hermetic/deploy/score.lock $(ARGS)
	$(LOCK) pyproject.toml --extra ray src/hermetic/deploy/ray.in --constraint requirements.lock --no-annotate \
	  --output-file src/hermetic/deploy/ray.lock $(ARGS)
	for host in docs/site/ tests/hosts/*/; do (cd $$host && $(LOCK) requirements.in --output-file requirements.lock $(ARGS)) || exit 1; done

clean:  ## Remove the environments of this folder, caches and builds
	rm -rf $(VENV) .venv-* build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
