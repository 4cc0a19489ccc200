# The commands of a working day; "make help" lists them. build, run, test and bench need Go, make and, for those who are
# not root, sudo. What else a target needs it installs when run by root on Debian or its kin, and names elsewhere.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := build
MAKEFLAGS += --no-builtin-rules

ARGS ?=
FUZZTIME ?= 30s
# For test-kernels: Debian suites with kernel series, and the tests to run in them.
KERNELS ?= bookworm:6.1 bookworm:6.12 trixie-backports:6.18 sid:7
RUN ?= Privileged

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
# Also in internal/kernel/gen.go; another clang makes another object.
CLANG_VERSION := 19
GOLANGCI_VERSION := v2.15.0

BINARY := bin/tcptrail
GOLANGCI := .tools/bin/golangci-lint-$(GOLANGCI_VERSION)
GENERATED := internal/kernel/*_bpfel.*
VM_PACKAGES := $(addprefix ./internal/,kernel nettest privilege proc cli)
SCRIPTS := .ci/run internal/vm/*.sh

# Tests and the tool are compiled by the user and only run by root: the build cache keeps its owner.
SUDO := $(if $(filter 0,$(shell id -u)),,sudo)
EXEC := $(if $(SUDO),-exec $(SUDO))

# $(call apt,PACKAGES) installs Debian packages, or says which ones and fails.
apt = if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends $(1) >/dev/null; \
	else \
		echo "needed, by their names in Debian: $(strip $(1))" >&2; exit 1; \
	fi

# $(call optional,COMMAND,PACKAGE) ends a recipe line with a word if the command is missing, but has it in CI.
optional = if ! command -v $(1) >/dev/null; then \
		[ -n "$${CI:-}" ] || { echo "$(1) is missing: not checked here, but in CI"; exit 0; }; \
		$(call apt,$(2)); \
	fi

.PHONY: help
help: ## This list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

.PHONY: build
build: ## Build bin/tcptrail
	CGO_ENABLED=0 go build -buildvcs=false -trimpath -ldflags '-X main.version=$(VERSION)' -o $(BINARY) ./cmd/tcptrail

.PHONY: run
run: build ## Build and run; ARGS="trace -o json" passes arguments
	@$(SUDO) $(BINARY) $(ARGS)

# Compilers and an interpreter, for programs that leak.
.PHONY: test-tools
test-tools:
	@missing=""; \
	for need in gcc:gcc g++:g++ musl-gcc:musl-tools strip:binutils python3:python3-minimal; do \
		command -v "$${need%%:*}" >/dev/null || missing+=" $${need#*:}"; \
	done; \
	[ -e /usr/include/stdio.h ] || missing+=" libc6-dev"; \
	if [ -n "$$missing" ]; then $(call apt,$$missing); fi

.PHONY: test
test: test-tools ## Run every test, the privileged ones included
	go test -count=1 $(EXEC) ./...

.PHONY: test-race
test-race: test-tools ## The same under the race detector
	CGO_ENABLED=1 go test -race -count=1 $(EXEC) ./...

.PHONY: bench
bench: build ## Measure the tool's cost; ARGS passes arguments
	go run -buildvcs=false $(EXEC) ./internal/bench $(ARGS)

.PHONY: fuzz
fuzz: ## Run each fuzz target for FUZZTIME=30s, or as often as 100000x says
	@for file in $$(grep -rl --include='*_test.go' '^func Fuzz' cmd internal); do \
		for target in $$(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' "$$file"); do \
			echo "--- $$target in $${file%/*}"; \
			go test -run='^$$' -fuzz="^$$target\$$" -fuzztime=$(FUZZTIME) "./$${file%/*}"; \
		done; \
	done

.PHONY: lint
lint: lint-go lint-c lint-sh ## Check style, architecture and formatting

.PHONY: lint-go
lint-go: $(GOLANGCI)
	$(GOLANGCI) run ./...

.PHONY: lint-c
lint-c:
	@$(call optional,clang-format-$(CLANG_VERSION),clang-format-$(CLANG_VERSION)); \
	set -x; clang-format-$(CLANG_VERSION) --dry-run -Werror bpf/*.h bpf/*.c

.PHONY: lint-sh
lint-sh:
	@$(call optional,shellcheck,shellcheck); set -x; shellcheck $(SCRIPTS)

.PHONY: format
format: $(GOLANGCI) ## Format Go and BPF sources in place
	$(GOLANGCI) fmt
	clang-format-$(CLANG_VERSION) -i bpf/*.h bpf/*.c

# Built from source, so that go.sum and its checksum database vouch for it, and outside go.mod, so that its hundreds of
# dependencies do not become ours.
$(GOLANGCI):
	CGO_ENABLED=0 GOBIN=$(CURDIR)/.tools/new go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION)
	@mkdir -p $(@D) && mv .tools/new/golangci-lint $@

.PHONY: bpf-tools
bpf-tools:
	@type clang-$(CLANG_VERSION) llvm-strip-$(CLANG_VERSION) >/dev/null 2>&1 && [ -e /usr/include/bpf/bpf_helpers.h ] || \
		{ $(call apt,clang-$(CLANG_VERSION) llvm-$(CLANG_VERSION) libbpf-dev); }

.PHONY: generate
generate: bpf-tools ## Compile bpf/ and renew the generated Go
	go generate ./...

.PHONY: check-generate
check-generate: bpf-tools ## Fail if what is generated is not what bpf/ gives
	@work=$$(mktemp -d); trap 'rm -rf "$$work"' EXIT; mkdir "$$work"/{committed,generated}; \
	cp $(GENERATED) "$$work/committed"; \
	go generate ./...; \
	cp $(GENERATED) "$$work/generated"; \
	(cd "$$work" && diff -ru committed generated) || { \
		echo "The generated files do not belong to the sources in bpf/. Now they do: commit $(GENERATED)" >&2; exit 1; }

.PHONY: vm-tools
vm-tools:
	@type qemu-system-x86_64 busybox cpio xz zstd >/dev/null 2>&1 && ! ldd "$$(command -v busybox)" >/dev/null 2>&1 || \
		{ $(call apt,qemu-system-x86 busybox-static cpio xz-utils zstd); }

.PHONY: test-kernels
test-kernels: vm-tools ## Run the privileged tests in other kernels under qemu; KERNELS="SUITE:SERIES ..." RUN=PATTERN
	@internal/vm/matrix.sh -r '$(RUN)' '$(KERNELS)' $(VM_PACKAGES)

.PHONY: test-kernel-quick
test-kernel-quick: ## The same in the oldest supported kernel alone
	@$(MAKE) --no-print-directory test-kernels KERNELS=bookworm:6.1

.PHONY: clean
clean: ## Remove what was built
	rm -rf bin

.PHONY: distclean
distclean: clean ## Remove installed tools and fetched kernels, too
	rm -rf .tools .kernels
