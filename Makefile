# Each target does its own set-up: Python >= 3.10, make and a Rust toolchain are all it needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
WHEELS := target/wheels
SOURCES := $(shell find rust python -name '*.rs' -o -name '*.py' -o -name '*.pyi' -o -name '*.csv' -o -name '*.html' -o -name '*.css' -o -name '*.js') \
	Cargo.toml Cargo.lock pyproject.toml README.md

.PHONY: demo test test-rust test-python test-debug lint bench bench-core wheel docs stubs format clean

demo: $(VENV)/.installed
	$(BIN)/gradtape train iris

test: test-rust test-python test-debug

test-rust:
	cargo test

test-python: $(VENV)/.installed
	$(BIN)/python -m pytest tests --pyargs gradtape

# The same slots with debug assertions and overflow checks, in an environment of its own.
test-debug: $(VENV)/.installed
	$(BIN)/maturin build --quiet --out target/debug-wheels
	$(BIN)/pip install --quiet --no-deps --force-reinstall --target target/debug-site target/debug-wheels/*.whl
	PYTHONPATH=target/debug-site $(BIN)/python -m pytest tests/test_value.py tests/test_tape.py tests/test_vectors.py

lint: $(VENV)/.installed
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m mypy.stubtest gradtape._core
	$(BIN)/lint-imports

# A peer that cannot be installed does not take part.
bench: bench-core $(VENV)/.installed
	$(BIN)/pip install --quiet -r benches/requirements.txt
	-$(BIN)/pip install --quiet -r benches/requirements-torch.txt
	-grep -v '^#' benches/requirements-replay.txt | xargs -n 1 $(BIN)/pip install --quiet
	$(BIN)/python benches/bench.py

bench-core:
	cargo bench --bench tape

wheel: $(VENV)/.tools
	$(BIN)/maturin build --release --out $(WHEELS)

docs: $(VENV)/.installed
	$(BIN)/python docs/table.py

stubs: $(VENV)/.installed
	$(BIN)/python tests/stubs.py

format: $(VENV)/.tools
	cargo fmt --all
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) target

$(VENV)/.tools: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet 'maturin>=1.9,<2' --group test --group lint
	touch $@

$(VENV)/.installed: $(VENV)/.tools $(SOURCES)
	rm -rf $(WHEELS)
	$(BIN)/maturin build --quiet --release --out $(WHEELS)
	$(BIN)/pip install --quiet --force-reinstall --no-deps $(WHEELS)/gradtape-*.whl
	$(BIN)/pip install --quiet "gradtape[cli] @ file://$$(realpath $(WHEELS)/gradtape-*.whl)"
	touch $@
