# The door. Bare `make` prints the targets.
STACK ?= h200
OUT ?= rendered
FORMAT ?= text
MODEL ?=
SECONDS ?= 60
STEP ?= 1
CAPABILITY ?= 9.0
REPORT ?= report/$(STACK)
LINTERS := .linters
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Another stack, in whose stand-in cloud this one is built.
export SANDBOX_CLOUD := $(CLOUD)
SANDBOX := $(BIN)/python -m sandbox

.DEFAULT_GOAL := help
.PHONY: help setup tools prune-tools doctor up preview report drift policy lint-pipelines destroy status kubectl render verify load preflight plan test test-slow torture test-vllm record-models compare-models check lint-manifests record lock lock-images audit sbom bench

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
	@echo "making $(VENV): about two minutes, once"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --compile --require-hashes -r requirements-dev.txt
	@touch $@

tools: setup ## get or build the Pulumi engine, the provider and the control plane
	@$(BIN)/python -m sandbox.tools

prune-tools: setup ## delete the tools that no checkout uses any more
	@$(BIN)/python -m sandbox.tools prune

doctor: setup ## ask whether up can work; on Google: python -m verification.doctor --stack STACK
	@$(SANDBOX) doctor --stack $(STACK)

up: setup ## build the stack in the sandbox
	@$(SANDBOX) up --stack $(STACK)

preview: setup ## show what up would change
	@$(SANDBOX) preview --stack $(STACK)

report: setup ## say what this checkout changes of STACK since BASE, as a comment and a page; EVENTS= of another preview
	@$(BIN)/python -m review --stack $(STACK) --base "$(BASE)" $(if $(EVENTS),--events $(EVENTS)) --out $(REPORT) --strict

drift: setup ## name what was changed by hand in the stack's cluster and cloud; fails if anything was
	@mkdir -p $(REPORT)
	@$(SANDBOX) preview --stack $(STACK) --refresh --events $(REPORT)/drift.jsonl > $(REPORT)/drift.log 2>&1 || \
		{ cat $(REPORT)/drift.log >&2; exit 1; }
	@$(BIN)/python -m review.drift --stack $(STACK) --events $(REPORT)/drift.jsonl

policy: setup ## preview the stack from nothing with the policy pack; fails if a rule is broken
	@$(SANDBOX) change --stack $(STACK) --policy-pack policy

destroy: setup ## take the stack down and leave nothing; a protected one with CONFIRM=its name
	@$(SANDBOX) destroy --stack $(STACK) --confirm "$(CONFIRM)"

status: setup ## show what is up
	@$(SANDBOX) status --stack $(STACK)

kubectl: setup ## run kubectl against the stack: ARGS="get pods -A"
	@$(SANDBOX) kubectl --stack $(STACK) -- $(ARGS)

render: setup ## write every Kubernetes object of the stack to OUT
	@$(SANDBOX) render --stack $(STACK) --out $(OUT)

verify: setup ## ask what is up here whether it serves; on Google: python -m verification --stack STACK
	@$(SANDBOX) verify --stack $(STACK)

load: setup ## put MODEL of the stack under the load of its objective; on Google: python -m verification.load --stack STACK --model MODEL
	@$(SANDBOX) load --stack $(STACK) --model "$(MODEL)" --seconds $(SECONDS)

preflight: setup ## run the NCCL test between nodes again; on Google: python -m verification.preflight --stack STACK
	@$(SANDBOX) preflight --stack $(STACK)

plan: setup ## decide the stack without Pulumi or credentials: FORMAT=text, markdown or json
	@$(BIN)/python -m planning stack $(STACK) --format $(FORMAT)

test: setup tools ## run all tests but the slow ones, two files at a time
	@$(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow"

test-slow: setup tools ## bring up every stack, break what is up, and review changes: half an hour
	@$(BIN)/python -m pytest -n 2 --dist loadfile -m slow

torture: setup tools ## kill up and destroy of STACK after each of the resources FROM to TO (every STEP-th), and run them again
	@$(BIN)/python -m tests.sandbox.torture $(STACK) --from $(FROM) --to $(TO) --step $(STEP)

test-vllm: setup ## hold command lines and a sample of models against vLLM's own code (9 GB, once)
	@$(BIN)/python -m oracle.environment
	@$(BIN)/python -m pytest -m vllm tests/vllm

record-models: setup ## ask vLLM's own code about the catalogue's models, for cards of CAPABILITY (9.0)
	@$(BIN)/python -m oracle record --capability $(CAPABILITY)

compare-models: setup ## what the plan and vLLM's own code say of every published model; fails if they disagree
	@$(BIN)/python -m oracle compare --capability $(CAPABILITY)

check: setup ## ruff, pyright and the import contracts
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/pyright
	@$(BIN)/lint-imports

lint-manifests: setup ## checkov, kube-score and kubeconform over every pod of every stack
	@$(BIN)/python -m maintenance.lint_manifests

lint-pipelines: setup $(LINTERS)/actionlint ## actionlint and zizmor over the pipelines of GitHub
	@$(LINTERS)/actionlint
	@$(BIN)/zizmor --offline --no-progress --quiet --config .github/zizmor.yml .github

$(LINTERS)/actionlint: maintenance/linters/go.mod maintenance/linters/go.sum
	@command -v go >/dev/null || { echo "error: Go is needed to build actionlint (https://go.dev/dl)" >&2; exit 1; }
	@mkdir -p $(LINTERS)
	@cd maintenance/linters && go build -o $(CURDIR)/$@ github.com/rhysd/actionlint/cmd/actionlint

record: setup ## write all files that are made from the code; PART="graphs docs" writes some of them: docs/changing.md
	@$(BIN)/python -m maintenance.record $(PART)

lock: setup ## pin the requirements files again from pyproject.toml
	@$(BIN)/uv pip compile pyproject.toml --quiet --universal --generate-hashes --no-emit-index-url --no-header \
		--python-version 3.11 --output-file requirements.txt
	@$(BIN)/uv pip compile pyproject.toml --group performance --quiet --universal --generate-hashes --no-emit-index-url \
		--no-header --python-version 3.11 --constraint requirements.txt --output-file requirements-performance.txt
	@$(BIN)/uv pip compile pyproject.toml --group dev --quiet --universal --generate-hashes --no-emit-index-url \
		--no-header --python-version 3.11 --constraint requirements.txt --output-file requirements-dev.txt
	@$(BIN)/uv pip compile --group load --quiet --universal --generate-hashes --no-emit-index-url --no-header \
		--python-version 3.11 --output-file requirements-load.txt
	@$(BIN)/uv pip compile --group release --quiet --universal --generate-hashes --no-emit-index-url --no-header \
		--python-version 3.11 --output-file requirements-release.txt

# Their tools are in an environment of its own, which uv makes and keeps.
RELEASE := $(BIN)/uv run --quiet --isolated --no-project --with-requirements requirements-release.txt

audit: setup ## ask the advisory database for known weaknesses of what is pinned
	@for file in requirements*.txt; do $(RELEASE) pip-audit --strict --require-hashes --disable-pip --requirement $$file || exit 1; done

sbom: setup ## write sbom.json, the CycloneDX bill of materials of what the program runs with
	@$(RELEASE) cyclonedx-py requirements requirements.txt --pyproject pyproject.toml --output-reproducible \
		--output-file sbom.json

lock-images: setup ## ask the image registries for the digests of the catalogue's tags
	@$(BIN)/python -m maintenance.lock_images

bench: setup tools ## memory and speed against real GPUs; planning, reports and previews against their floors
	@$(BIN)/python -m bench.kv_memory
	@$(BIN)/python -m bench.performance
	@$(BIN)/python -m bench.plan_speed
	@$(BIN)/python -m bench.report_speed
	@$(BIN)/python -m bench.preview_speed
