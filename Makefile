# make demo   sets up and runs the main job: the mission's notebook, a perceptron and two networks on handwritten digits
# make test   sets up and passes the tests
# Everything is installed into .venv; needed beforehand: Python 3.11 or later, a C++20 compiler, make.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
JOBS ?= $(shell nproc 2>/dev/null || echo 2)
TORCH_VERSION := 2.13.0
CMAKE_FLAGS ?=

.PHONY: demo test test-all bench lint asan build clean stubs wheel

build: $(VENV)/.build
	@$(BIN)/cmake -S . -B build -G Ninja -DCMAKE_MAKE_PROGRAM=$(abspath $(BIN))/ninja \
	  -DPython_EXECUTABLE=$(abspath $(BIN))/python -DCMAKE_LIBRARY_OUTPUT_DIRECTORY=$(abspath lumbre) $(CMAKE_FLAGS) > build.log 2>&1 \
	  || (cat build.log; exit 1)
	@$(BIN)/cmake --build build -j $(JOBS)

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip

# What the build needs, and the one run-time dependency.
$(VENV)/.build: $(VENV)/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet "cmake>=3.24" ninja "numpy>=2.0" "scipy-openblas32>=0.3.30"
	@touch $@

$(VENV)/.demo: $(VENV)/.build
	$(BIN)/python -m pip install --quiet scikit-learn matplotlib tqdm
	@touch $@

# PyTorch is the reference that the tests compare with; nothing of Lumbre needs it.
$(VENV)/.test: $(VENV)/.build
	$(BIN)/python -m pip install --quiet torch==$(TORCH_VERSION) scipy mpmath pytest pytest-xdist hypothesis expecttest \
	  safetensors tensorboard
	@touch $@

$(VENV)/.lint: $(VENV)/.build
	$(BIN)/python -m pip install --quiet ruff clang-format mypy
	@touch $@

demo: build $(VENV)/.demo
	$(BIN)/python -m lumbre examples/introduccion.ipynb
	$(BIN)/python -m lumbre examples/perceptron_digits.py
	$(BIN)/python -m lumbre examples/digits_networks.py

test: build $(VENV)/.test $(VENV)/.demo
	$(BIN)/python -m pytest -n $(JOBS) -m "not sweep" tests

test-all: build $(VENV)/.test $(VENV)/.demo
	$(BIN)/python -m pytest -n $(JOBS) tests

bench: build $(VENV)/.test
	$(BIN)/python benchmarks/run.py $(if $(ROWS),--rows "$(ROWS)") $(BENCH_FLAGS)

lint: $(VENV)/.lint
	$(BIN)/ruff check lumbre tests benchmarks examples tools
	$(BIN)/ruff format --check lumbre tests benchmarks examples tools
	$(BIN)/clang-format --dry-run --Werror $$(git ls-files 'core/*.cc' 'core/*.h')
	$(BIN)/mypy

# The suite under the address and undefined-behaviour sanitizers, with a build of its own.
asan: $(VENV)/.test
	@mkdir -p build-asan
	$(BIN)/cmake -S . -B build-asan -G Ninja -DCMAKE_MAKE_PROGRAM=$(abspath $(BIN))/ninja -DLUMBRE_SANITIZE=ON \
	  -DPython_EXECUTABLE=$(abspath $(BIN))/python -DCMAKE_LIBRARY_OUTPUT_DIRECTORY=$(abspath build-asan/package/lumbre) > build-asan/cmake.log
	$(BIN)/cmake --build build-asan -j $(JOBS)
	tools/run_sanitized.sh $(BIN)/python

stubs: build
	$(BIN)/python tools/make_stubs.py

wheel: $(VENV)/.build
	$(BIN)/python -m pip wheel --no-deps -w dist .

clean:
	rm -rf build build-* dist out build.log lumbre/_C*.so
