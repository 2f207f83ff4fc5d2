# The Tech Deputies. `make run` starts everything; `make help` lists the rest.
PYTHON ?= python3
PORT ?= 8000
DATA_DIR ?= .local
export PORT DATA_DIR

BIN := .venv/bin
.DEFAULT_GOAL := help
.PHONY: help setup run test lint format lock bench clean

help: ## Show this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile | while IFS="$$(printf '\t')" read -r name words; do printf '  make %-8s %s\n' "$$name" "$$words"; done

setup: ## Make the virtual environment and install the pinned packages, if they changed
	@$(PYTHON) sandbox/bootstrap.py

run: setup ## Start the whole product (PORT=8000, DATA_DIR=.local); Ctrl-C stops it
	@$(BIN)/python -m sandbox.run --stop-with-parent

test: setup ## Run every test, the browser ones included
	@$(PYTHON) sandbox/browser.py
	@$(BIN)/python -m pytest -n auto $(ARGS)

lint: setup ## Check style, types, templates, migrations and the production settings
	@$(BIN)/python -m sandbox.lint

format: setup ## Rewrite the code in the house style
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

lock: setup ## Write the locked requirement files from requirements.in and requirements-dev.in
	@$(BIN)/python -m sandbox.lock

bench: setup ## Run the benchmarks (minutes); see benchmarks/
	@$(BIN)/python -m benchmarks $(ARGS)

clean: ## Remove caches; the virtual environment and the data stay
	@rm -rf .mypy_cache .pytest_cache .ruff_cache .hypothesis test-results
	@find . -path ./.venv -prune -o -name __pycache__ -type d -print | while IFS= read -r folder; do rm -rf "$$folder"; done
