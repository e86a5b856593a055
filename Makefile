.DEFAULT_GOAL := help
.PHONY: bench-overhead bench-ray bench-vllm help setup demo test test-fast drills fuzz fuzz-coverage fidelity compose-test ray-test check protos docs format

PYTHON ?= python3
BIN := .venv/bin

help:  ## This list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 16

setup:  ## Make .venv (CATENARY_TORCH=auto|cpu|gpu|none|URL); nothing to do the second time
	@$(PYTHON) scripts/setup

demo: setup  ## Run examples/review_article.yaml on two real vLLM engines
	@$(BIN)/python scripts/demo

test: setup  ## Everything: unit, integration, simulation, then real engines
	@$(BIN)/pytest tests/unit tests/integration tests/simulation
	@$(BIN)/pytest tests/e2e

test-fast: setup  ## The tests that need no real engine
	@$(BIN)/pytest tests/unit tests/integration tests/simulation

ray-test: setup  ## Workers on a Ray cluster of five nodes on this machine, one of them killed (own environment: .venv-ray-test)
	@test -x .venv-ray-test/bin/python || $(BIN)/python -m venv .venv-ray-test
	@.venv-ray-test/bin/pip install --quiet --editable ".[dev,ray]"
	@.venv-ray-test/bin/pytest -s tests/integration/test_ray_cluster.py

drills: setup  ## Kills for twenty minutes, then pauses, then bad connections (CATENARY_TEST_FAULTS, CATENARY_TEST_SEED)
	@CATENARY_TEST_FAULTS=$${CATENARY_TEST_FAULTS:-300} CATENARY_TEST_PAUSE_SHARE=0 $(BIN)/pytest tests/integration/test_drill.py -s
	@CATENARY_TEST_FAULTS=60 CATENARY_TEST_PAUSE_SHARE=1 $(BIN)/pytest tests/integration/test_drill.py -s
	@CATENARY_TEST_FAULTS=60 $(BIN)/pytest tests/integration/test_link_drill.py -s

fuzz: setup  ## 10,000 inputs each for the spec parser, the templates and every RPC (CATENARY_TEST_EXAMPLES)
	@CATENARY_TEST_EXAMPLES=$${CATENARY_TEST_EXAMPLES:-10000} $(BIN)/pytest --timeout 3600 tests/unit/test_template_fuzz.py tests/integration/test_rpc_fuzz.py

fuzz-coverage: setup  ## The same readers under atheris, which looks for inputs that reach new code (own environment: .venv-fuzz; RUNS=10000)
	@test -x .venv-fuzz/bin/python || $(BIN)/python -m venv .venv-fuzz
	@.venv-fuzz/bin/pip install --quiet --editable ".[fuzz]"
	@for target in template specification submission; do \
		.venv-fuzz/bin/python tests/fuzz/coverage_guided.py $$target .venv-fuzz/corpus/$$target -runs=$${RUNS:-10000} -max_len=8192 || exit 1; done

compose-test: setup  ## docker-compose.yml with emulated engines: a run, a killed worker, its trace (needs Docker; ENGINE=cpu: vLLM)
	@$(BIN)/python scripts/compose_test $(if $(ENGINE),--engine $(ENGINE))

fidelity: setup  ## The same runs on a loopback cluster and in simulation, side by side (FIDELITY="--loads 0.8")
	@$(BIN)/python loadtest/fidelity.py $(FIDELITY)

check: setup  ## Format, lint, types, import contracts, generated files
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/python scripts/protos --check
	@$(BIN)/python scripts/config_reference --check

protos: setup  ## Generate libs/catenary/v1 from protos/
	@$(BIN)/python scripts/protos

docs: setup  ## Generate docs/configuration.md
	@$(BIN)/python scripts/config_reference

format: setup  ## Format and sort imports
	@$(BIN)/ruff check --quiet --fix-only .
	@$(BIN)/ruff format --quiet .

bench-ray: setup .venv-ray/ready  ## Catenary beside Ray Serve, 20 to 25 minutes (FULL=1: hours; RESUME=1; TRACES=dir; REAL=csv; OUT=dir)
	@cd loadtest && PYTHONPATH=../libs:../services ../$(BIN)/python -m bench run $(if $(FULL),--full) $(if $(REAL),--real $(abspath $(REAL))) $(if $(KEEP),--keep) $(if $(RESUME),--resume) \
		$(if $(SYSTEMS),--systems $(SYSTEMS)) $(if $(ONLY),--only $(ONLY)) $(if $(SEEDS),--seeds $(SEEDS)) \
		$(if $(TRACES),--traces $(abspath $(TRACES))) --out $(abspath $(or $(OUT),loadtest/results)) $(ARGS)

bench-overhead: setup .venv-ray/ready  ## What Catenary and Ray Serve add to a call that takes no time (RESUME=1; OUT=dir)
	@cd loadtest && PYTHONPATH=../libs:../services ../$(BIN)/python -m bench.overhead $(if $(RESUME),--resume) $(if $(OUT),--out $(abspath $(OUT))) $(ARGS)

bench-vllm: setup .venv-ray/ready  ## The same with vLLM on two cores, ten minutes (SYSTEMS="ray_fixed catenary"; RATES="0.8 1.2"; OUT=dir)
	@cd loadtest && PYTHONPATH=../libs:../services ../$(BIN)/python -m bench.real_engines $(if $(SYSTEMS),--systems $(SYSTEMS)) $(if $(RATES),--rates $(RATES)) \
		--out $(abspath $(or $(OUT),loadtest/results)) $(ARGS)

.venv-ray/ready: | setup
	@$(BIN)/python -m venv .venv-ray
	@.venv-ray/bin/pip install --quiet "ray[serve]==2.60.*"
	@touch $@
