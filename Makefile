# Each target installs what it needs: .venv is made once, and again when the requirements change.

.DEFAULT_GOAL := help
.PHONY: help demo test test-all lint bench clean

BIN := .venv/bin
INSTALLED := .venv/installed
EXTRAS := logs,hf,lora,onnx,rerank,serve,tensorboard,xlsx,dev

help: ## Show this list
	@grep -E '^[a-z-]+:.*## ' Makefile | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 18

demo: $(INSTALLED) ## Train a baseline and a graded model on generated drawings, compare them, write demo/report.html
	$(BIN)/gradus demo

test: lint ## Lint, check types and import rules, run the fast tests
	OMP_NUM_THREADS=1 $(BIN)/pytest -n auto --maxprocesses 4 -m "not slow"

test-all: lint ## The same with the slow tests
	OMP_NUM_THREADS=1 $(BIN)/pytest -n auto --maxprocesses 4

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

bench: bench/drawings-0 ## Measure the objectives against each other on generated drawings, quick setting
	$(BIN)/python benchmarks/graded.py $(CURDIR)/$< --minutes 0.5

bench/drawings-0: | $(INSTALLED)
	$(BIN)/gradus sample drawings $@ --documents 2000

clean: ## Remove .venv, caches and the demo; benchmark results stay
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	rm -rf build dist demo src/*.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A name on PATH may be a shim without a Python behind it, and Debian ships Python without venv: try each.
$(INSTALLED): pyproject.toml constraints.txt
	@for python in python3.11 python3.12 python3.13 python3.14 python3 python; do \
	  if $$python -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	    echo "Installing into .venv with $$($$python --version); this takes a minute or two."; \
	    exec $$python -m venv .venv; \
	  fi; \
	done; \
	echo "Gradus needs Python 3.11 or newer with its venv module on PATH (Debian: apt install python3-venv)." >&2; \
	exit 1
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt \
	  --editable '.[$(EXTRAS)]'
	@touch $@
