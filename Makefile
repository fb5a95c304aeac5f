# The door. Bare `make` prints the targets.
STACK ?= h200
OUT ?= rendered
FORMAT ?= text
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SANDBOX := $(BIN)/python -m sandbox

.DEFAULT_GOAL := help
.PHONY: help setup tools up preview destroy status kubectl render plan test test-vllm check lock lock-images bench

help: ## print the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "  STACK=NAME names a stack file Pulumi.NAME.yaml (default: $(STACK))"

setup: $(VENV)/.installed ## make .venv with everything pinned

$(VENV)/.installed: requirements.txt requirements-dev.txt
	@command -v git >/dev/null || { echo "error: git is needed (apt-get install git)" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
		{ echo "error: Python 3.11 or newer is needed; name it with PYTHON=" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "error: Python's venv module is needed (apt-get install python3-venv)" >&2; exit 1; }
	@echo "making $(VENV): about a minute, once"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --compile --require-hashes -r requirements-dev.txt
	@touch $@

tools: setup ## get or build the engine, the provider and the control plane
	@$(BIN)/python -m sandbox.tools

up: setup ## build the stack in the sandbox
	@$(SANDBOX) up --stack $(STACK)

preview: setup ## show what up would change
	@$(SANDBOX) preview --stack $(STACK)

destroy: setup ## take the stack down and leave nothing
	@$(SANDBOX) destroy --stack $(STACK)

status: setup ## show what is up
	@$(SANDBOX) status --stack $(STACK)

kubectl: setup ## run kubectl against the stack: ARGS="get pods -A"
	@$(SANDBOX) kubectl --stack $(STACK) -- $(ARGS)

render: setup ## write every Kubernetes object of the stack to OUT
	@$(SANDBOX) render --stack $(STACK) --out $(OUT)

plan: setup ## decide the stack without Pulumi or credentials: FORMAT=text, markdown or json
	@$(BIN)/python -m planning stack $(STACK) --format $(FORMAT)

test: setup tools ## run all tests
	@$(BIN)/python -m pytest

test-vllm: setup ## hold command lines against vLLM's own parser (9 GB, once)
	@$(BIN)/python -m tests.vllm.environment
	@$(BIN)/python -m pytest -m vllm tests/vllm

check: setup ## ruff, pyright and the import contracts
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/pyright
	@$(BIN)/lint-imports

lock: setup ## pin requirements.txt and requirements-dev.txt anew from pyproject.toml
	@$(BIN)/uv pip compile pyproject.toml --quiet --universal --generate-hashes --no-emit-index-url --no-header \
		--python-version 3.11 --output-file requirements.txt
	@$(BIN)/uv pip compile pyproject.toml --group dev --quiet --universal --generate-hashes --no-emit-index-url \
		--no-header --python-version 3.11 --constraint requirements.txt --output-file requirements-dev.txt

lock-images: setup ## ask the image registries for the digests of the catalogue's tags
	@$(BIN)/python -m maintenance.lock_images

bench: setup ## the memory model against real GPUs, and planning against a floor
	@$(BIN)/python -m bench.kv_memory
	@$(BIN)/python -m bench.plan_speed
