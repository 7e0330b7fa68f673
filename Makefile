# Trinco's commands. `make` alone lists them.
#
#   PORT_BASE=18000 make run     the ports from 18000 on, in place of the usual ones
#   PYTHON=/path/to/python make run

PORT_BASE ?=
SEED ?=
MINUTES ?=
export PORT_BASE SEED MINUTES

.DEFAULT_GOAL := help
.PHONY: help run test check bench soak chaos lock docs clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' Makefile

run: ## try Trinco on this machine: everything on loopback, with made-up customers (Ctrl-C ends it)
	@tools/run.sh

test: ## all that must hold: format, lint, types, contracts, tests (installs what it needs)
	@tools/test.sh

check: ## format, lint, types and import contracts alone
	@tools/check.sh

bench: ## measure beside named peers, and write docs/benchmarks.md
	@tools/bench.sh

soak: ## the long tests: floods, kills, mutations
	@tools/soak.sh

chaos: ## several edges, and all that can go wrong with them, drawn from a seed: SEED=42 MINUTES=10
	@tools/chaos.sh

lock: ## resolve the dependencies anew into the two lock files (needs the network)
	@tools/lock.sh

docs: ## write the generated pages of docs/ anew: settings, commands, errors, conformance
	@tools/venv.sh dev && .venv/bin/python -m tools.docs

clean: ## remove all that was made here: environment, playground, caches, packages
	@tools/clean.sh
