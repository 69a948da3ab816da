# make lab     set up, run and measure a small model, open JupyterLab
# make test    set up, check the code and the notebooks, run all tests
# make pocket  set up, with PyTorch; train the pocket models anew
#
# make setup   the half that both share        make lab BROWSER=no    stop before the browser
# make lab GPU=cuda|metal|vulkan|hip|cpu       which llama.cpp        PREBUILT=yes  upstream's wheel
# make notebooks | lock | benchmarks | clean

ifeq ($(OS),Windows_NT)
PYTHON ?= py
BIN := .venv/Scripts
else
PYTHON ?= python3
BIN := .venv/bin
endif

# GPU and BROWSER are also set in some people's environment, to things that mean nothing here.
KINDS := cpu cuda metal vulkan hip portable
GPU_KIND := $(if $(filter command line,$(origin GPU)),$(GPU),$(filter $(KINDS),$(GPU)))
SETUP := $(PYTHON) -m labkit.bootstrap $(if $(GPU_KIND),--gpu $(GPU_KIND)) \
	$(if $(filter yes,$(PREBUILT)),--prebuilt) $(if $(JOBS),--jobs $(JOBS))

UV := $(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-emit-find-links --no-annotate --no-header --quiet $(if $(filter yes,$(UPGRADE)),--upgrade)
EXTRAS := --extra server --extra build --no-emit-package llama-cpp-python

.DEFAULT_GOAL := lab
.PHONY: lab test pocket setup notebooks lock benchmarks clean

setup:
	@$(SETUP)

lab: setup
	@$(BIN)/labkit lab $(if $(filter no,$(BROWSER)),--no-browser)

test:
	@$(SETUP) --test
	$(BIN)/python course/build.py --check
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell
	$(BIN)/python -m pytest $(PYTEST)

pocket:
	@$(SETUP) --train
	$(BIN)/python -m labkit.pocket

notebooks:
	@$(SETUP) --test
	$(BIN)/python course/build.py

lock:
	@$(SETUP) --test
	$(BIN)/python -m pip install --quiet uv
	$(UV) requirements/pip.in -o requirements/pip.lock
	$(UV) requirements/build.in -o requirements/build.lock
	$(UV) --no-deps requirements/llama-cpp.in -o requirements/llama-cpp.lock
	$(UV) pyproject.toml $(EXTRAS) -o requirements/lab.lock
	$(UV) pyproject.toml $(EXTRAS) --extra test -c requirements/lab.lock -o requirements/test.lock
	$(UV) requirements/train.in -c requirements/test.lock -o requirements/train.lock
	$(BIN)/python binder/make_requirements.py

benchmarks:
	@$(SETUP) --test
	$(BIN)/python -m tests.benchmarks

clean:
	rm -rf .venv build dist .pytest_cache .ruff_cache .hypothesis
