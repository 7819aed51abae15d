# The two commands a newcomer needs: `make up` serves a file system, `make test` proves it.
# `make` alone lists all.

.DEFAULT_GOAL := help
.PHONY: help up build test test-full check advisories setup bench fuzz clean

CARGO ?= cargo
TARGET := $(or $(CARGO_TARGET_DIR),target)
# How long each fuzz target runs.
FUZZ_SECONDS ?= 60

help: ## List these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

up: ## Build for release and serve on one machine (ARGS='--listen IP --data DIR ...')
	$(CARGO) build --release --package sluice
	$(TARGET)/release/sluice up $(ARGS)

build: ## Build the program that the tests run
	$(CARGO) build --workspace --bin sluice

test: setup build ## All tests, with real clients; as root, installs what they need with apt
	SLUICE_BIN=$(abspath $(TARGET))/debug/sluice $(CARGO) test --workspace --no-fail-fast

test-full: setup build ## The same in full: hours of new random ones (SEED=N repeats a run)
	@seed=$(or $(SEED),$$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')); \
	echo "to repeat this run: make test-full SEED=$$seed"; \
	SLUICE_TEST_EFFORT=full SLUICE_TEST_SEED=$$seed SLUICE_BIN=$(abspath $(TARGET))/debug/sluice \
	  $(CARGO) test --workspace --no-fail-fast; status=$$?; \
	echo "to repeat this run: make test-full SEED=$$seed"; exit $$status

check: ## Format, lints, tidiness, dependencies (before every push)
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings
	$(CARGO) test --workspace --test tidy
	CARGO_TARGET_DIR=$(abspath $(TARGET)) $(CARGO) check --manifest-path tests/fuzz/Cargo.toml --locked --no-default-features
	@if $(CARGO) deny --version >/dev/null 2>&1; then $(CARGO) deny check bans licenses sources; \
	else echo "cargo-deny is not installed: dependencies not checked"; fi

advisories: ## Ask the network whether dependencies have known vulnerabilities (needs cargo-deny)
	$(CARGO) deny check advisories

setup:
	tests/setup.sh

bench: ## Measure Sluice under a first set of loads (ARGS='--only read --json')
	$(CARGO) build --release --package sluice --package sluice-bench
	$(TARGET)/release/sluice-bench --sluice $(TARGET)/release/sluice $(ARGS)

fuzz: ## Run every fuzz target for FUZZ_SECONDS (needs cargo-fuzz and g++)
	cd tests/fuzz && for target in $$($(CARGO) fuzz list); do \
	  RUSTC_BOOTSTRAP=1 $(CARGO) fuzz run $$target --sanitizer none -- \
	    -max_total_time=$(FUZZ_SECONDS) -rss_limit_mb=512 -malloc_limit_mb=16 || exit 1; done

clean: ## Remove all that was built, and what tests left
	$(CARGO) clean
