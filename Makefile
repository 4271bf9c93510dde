# Two commands do everything on a fresh machine with Rust: `make encode` and `make test`.

# A shell that is not interactive often lacks rustup's folder.
export PATH := $(PATH):$(or $(CARGO_HOME),$(HOME)/.cargo)/bin
TARGET := $(or $(CARGO_TARGET_DIR),target)

# Only from the command line: the environment may hold variables of these common names for other ends.
# Recipes read them from the environment, so that names with spaces and quotes stay whole.
ifneq ($(origin IN),command line)
override IN :=
endif
ifneq ($(origin OUT),command line)
override OUT :=
endif
ifneq ($(origin ARGS),command line)
override ARGS :=
endif
ifneq ($(origin PREFIX),command line)
override PREFIX := /usr/local
endif
ifneq ($(origin DESTDIR),command line)
override DESTDIR :=
endif
export IN OUT PREFIX DESTDIR

.DEFAULT_GOAL := help
.PHONY: help setup build encode install test test-long bench lint clean

help: ## this list
	@echo 'make encode                                sample film in, report out (installs, builds, encodes)'
	@echo 'make encode IN=film.mkv OUT=film.av1.mkv   the same with a film of yours; ARGS="..." passes options'
	@echo 'make install PREFIX=/usr/local             the program with manual pages and completions, and the C library'
	@echo 'make test                                  all tests, after the same set-up'
	@echo 'make test-long                              tests that take longer (more than an hour, 3 GB of disk)'
	@echo 'make bench                                 the frame path alone, then drapto against its peers'
	@echo 'make lint                                  formatting and clippy, as in CI'
	@echo 'make clean                                 removes what was built'

setup:
	@scripts/setup

build: setup
	cargo build --release

encode: build
	@if [ -n "$$IN" ]; then \
	    if [ -n "$$OUT" ]; then set -- "$$IN" "$$OUT"; else set -- "$$IN"; fi; \
	    '$(TARGET)/release/drapto' encode "$$@" $(ARGS); \
	else \
	    fixtures/make showcase && mkdir -p encode-sample && \
	    '$(TARGET)/release/drapto' encode target/fixtures/showcase.mkv encode-sample/sample.av1.mkv \
	        --chunk-size 4 --overwrite --report encode-sample/report.json $(ARGS) && \
	    echo 'Watch: encode-sample/sample.av1.mkv   Read: encode-sample/report.json'; \
	fi

# DESTDIR stages it below another folder than the one it is for, as packagers do.
install:
	@scripts/setup --c
	scripts/install-c "$$PREFIX" --release
	scripts/install-program "$$PREFIX"

test:
	@scripts/setup --test
	cargo test --workspace --features internals

test-long:
	@scripts/setup --test
	cargo test --workspace --features internals -- --ignored

# With the packages' SVT-AV1, because SvtAv1EncApp and ffmpeg have that.
bench: export DRAPTO_SVT := $(or $(DRAPTO_SVT),trixie)
bench:
	@scripts/setup --bench
	cargo build --release
	cargo bench --workspace
	benches/peers.sh

lint:
	cargo fmt --all --check
	cargo clippy --workspace -- -D warnings
	cargo clippy --workspace --all-targets --features internals -- -D warnings

clean:
	cargo clean
	rm -rf encode-sample
