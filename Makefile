# Everything a person or a machine does here, each in one word. The environment is made at first use.
PYTHON ?= python3
TORCH := 2.13.0
TORCH_CUDA := 2.14.1
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready-$(TORCH)
NATIVE := $(wildcard CMakeLists.txt cmake/*.cmake setup.py csrc/*/* csrc/*/*/*) pyproject.toml
BUILT := $(VENV)/.built
# Threads that wait for work must not hold a core: on a busy machine they slow everything several times over.
export OMP_WAIT_POLICY ?= passive

.PHONY: help environment build wheel check-wheel sdist demo test test-cpp test-ptx bench-check check-cuda-load lint docs figures format bench clean
help:  ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

# torch comes first and pinned: an index's newest would bring gigabytes of CUDA libraries. An index that has a build for
# this version without CUDA can be named by PIP_EXTRA_INDEX_URL.
$(STAMP): pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet torch==$(TORCH)
	$(BIN)/python -m pip install --quiet numpy pybind11 ninja "cmake>=3.25" "setuptools>=77" wheel
	$(BIN)/python scripts/requirements.py test bench lint demo figures docs | $(BIN)/python -m pip install --quiet -r /dev/stdin
	touch $@

# Warnings are errors in what is built here; whoever installs the package may have a compiler that knows others.
PIP_STRICT := CMAKE_ARGS="-DPRUNING_EXT_WERROR=ON $$CMAKE_ARGS" PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m pip
$(BUILT): $(STAMP) $(NATIVE)
	$(PIP_STRICT) install --quiet --no-build-isolation --no-deps --editable .
	touch $@

environment: $(STAMP)  ## the virtual environment, without the package
build: $(BUILT)  ## the package, in place

$(VENV)/.ready-wheel: $(STAMP)
	$(BIN)/python scripts/requirements.py --only wheel | $(BIN)/python -m pip install --quiet -r /dev/stdin
	touch $@

wheel: $(VENV)/.ready-wheel  ## a wheel for this Python, in dist: its size, what it needs, its manylinux tag by auditwheel
	rm -rf build/wheel
	$(PIP_STRICT) wheel --quiet --no-build-isolation --no-deps --wheel-dir build/wheel .
	$(BIN)/python scripts/tag_wheel.py build/wheel/*.whl dist

sdist: $(STAMP)  ## the sources as one file, in dist
	$(BIN)/python setup.py --quiet sdist
	@ls -sh dist/*.tar.gz

check-wheel: wheel  ## the wheel in a new environment without a compiler, tested by a copy of the tests
	scripts/check_wheel.sh

ACTS ?= ken mi
demo: build  ## prune real models and print what it cost; ACTS=ken or ACTS=mi for one method
	PYTHONPATH=examples $(BIN)/python -m demo $(ACTS)

test: build test-cpp  ## the whole suite: C++ under sanitizers, then Python
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m pytest $(PYTEST_ARGS)

test-cpp: build  ## the torch-free core under AddressSanitizer and UndefinedBehaviorSanitizer
	PATH="$(CURDIR)/$(BIN):$$PATH" cmake -S . -B build/sanitized -G Ninja -DPRUNING_EXT_TESTS=ON -DPRUNING_EXT_WERROR=ON \
	  -DPRUNING_EXT_SANITIZE=address,undefined -DCMAKE_BUILD_TYPE=RelWithDebInfo > build/sanitized.log 2>&1 \
	  || { cat build/sanitized.log; exit 1; }
	PATH="$(CURDIR)/$(BIN):$$PATH" cmake --build build/sanitized
	PATH="$(CURDIR)/$(BIN):$$PATH" ctest --test-dir build/sanitized --output-on-failure

test-ptx: $(STAMP)  ## the CUDA kernels' PTX, interpreted on the CPU; needs nvcc, no GPU; ten minutes or so
	@command -v nvcc > /dev/null || { echo "test-ptx compiles with nvcc, which is not installed (a CUDA toolkit from 12.8 on has it)" >&2; exit 1; }
	mkdir -p build
	PATH="$(CURDIR)/$(BIN):$$PATH" cmake -S . -B build/ptx -G Ninja -DPRUNING_EXT_PTX_TESTS=ON -DPRUNING_EXT_WERROR=ON \
	  -DCMAKE_BUILD_TYPE=Release > build/ptx.log 2>&1 || { cat build/ptx.log; exit 1; }
	PATH="$(CURDIR)/$(BIN):$$PATH" cmake --build build/ptx
	PATH="$(CURDIR)/$(BIN):$$PATH" ctest --test-dir build/ptx --output-on-failure --parallel 2

ARGS ?=
bench: build  ## time the kernels beside their alternatives, two minutes; ARGS="kde --full --json FILE" is handed on
	$(BIN)/pruning-ext bench $(ARGS)

COUNTED := build/instructions
bench-check: $(STAMP)  ## instructions of the hot kernels against the committed counts; RECORD=1 to record them
	@command -v valgrind > /dev/null || { echo "bench-check counts with valgrind, which is not installed (Debian's package is valgrind)" >&2; exit 1; }
	mkdir -p build
	PATH="$(CURDIR)/$(BIN):$$PATH" cmake -S . -B $(COUNTED) -G Ninja -DPRUNING_EXT_INSTRUCTIONS=ON -DPRUNING_EXT_WERROR=ON \
	  -DCMAKE_BUILD_TYPE=Release -DCMAKE_CXX_FLAGS=-g > $(COUNTED).log 2>&1 || { cat $(COUNTED).log; exit 1; }
	PATH="$(CURDIR)/$(BIN):$$PATH" cmake --build $(COUNTED)
	$(BIN)/python -m benchmarks.instructions $(COUNTED)/benchmarks/instructions/count_kernels $(if $(RECORD),--record)

check-cuda-load: build  ## the binaries under a CUDA build of torch (a download of gigabytes), with or without a GPU
	scripts/check_cuda_load.sh $(TORCH_CUDA)

figures: $(STAMP)  ## every figure, and README's tables, again from the committed results
	$(BIN)/python -m benchmarks.figures
	$(BIN)/python -m benchmarks.readme_tables

# The site reads the sources without importing them: no torch is needed.
$(VENV)/.ready-docs: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python scripts/requirements.py --only docs | $(BIN)/python -m pip install --quiet -r /dev/stdin
	touch $@

docs: $(VENV)/.ready-docs  ## the site, into build/site; strict: a warning is an error
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict
	@echo "the site: build/site/index.html"

SOURCES = $(shell git ls-files 'csrc/*.h' 'csrc/*.cpp' 'csrc/*.cu' 'csrc/*.cuh' 'tests/*.cpp' 'tools/*.h' 'tools/*.cpp' 'examples/*.cpp' 'benchmarks/*.cpp')
lint: $(STAMP)  ## formatting, style, types, and the site without a warning
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/clang-format --dry-run --Werror $(SOURCES)
	$(BIN)/mypy
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

format: $(STAMP)  ## rewrite the sources as lint wants them
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/clang-format -i $(SOURCES)

clean:  ## remove what was built
	rm -rf build pruning_ext/*.so pruning_ext/build_info.json $(BUILT)
