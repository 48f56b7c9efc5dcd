# cloudlicenses: `make help` lists what there is.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := build

GO      ?= go
BIN     := bin/cloudlicenses
# bench/results is what a benchmark of this very commit leaves.
COMMIT  := $(shell git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)$(if $(shell git status --porcelain -- . ':!bench/results' 2>/dev/null),+dirty)
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
LDFLAGS := -s -w -X main.version=$(VERSION) -X main.commit=$(COMMIT)
# Every module of the workspace.
MODULES := . clients/go bench/peers

# The portal: what vite makes of WEB, and what it makes it of. Its API types are
# made of openapi.yaml by every build.
WEB       := portal/web
PORTAL    := $(WEB)/dist/index.html
INSTALLED := $(WEB)/node_modules/.installed
WEB_FILES := $(shell find $(WEB)/src $(WEB)/public ! -name schema.d.ts 2>/dev/null) \
	$(wildcard $(addprefix $(WEB)/,index.html package.json tsconfig*.json *.config.*)) api/openapi.yaml

SEED     ?= 0
DURATION ?= 3m
FUZZTIME ?= 20s
ARGS     ?=

.PHONY: build run tour check test tools lint race golden fuzz chaos prove soak bench generate clean help

build: $(PORTAL) ## build bin/cloudlicenses, portal included
	$(GO) build -ldflags '$(LDFLAGS)' -o $(BIN) ./cmd/cloudlicenses

$(INSTALLED): $(WEB)/package-lock.json
	@command -v npm >/dev/null || { echo 'npm is missing: the portal is built with Node.js 20.19 or newer (https://nodejs.org).' \
		'The server alone builds without: go build -o $(BIN) ./cmd/cloudlicenses' >&2; exit 1; }
	cd $(WEB) && npm ci --no-audit --no-fund
	touch $@

$(PORTAL): $(INSTALLED) $(WEB_FILES)
	cd $(WEB) && npm run build
	touch $@

run: build ## build, and start a three-node cluster with demo data on this machine (ARGS: flags of dev)
	$(BIN) dev $(ARGS)

tour: build ## a minute with three real processes: 20 seats, the one too many, the leader killed
	docs/tour.sh

check: ## the quick part, Go alone: gofmt, vet, unit tests
	.ci/stages format vet unit

test: ## everything that CI runs; installs what it needs
	.ci/stages

tools: ## install the linters and system tools that `make test` uses
	.ci/tools

lint: ## golangci-lint over every module
	.ci/stages lint

race: ## every test under the race detector
	.ci/stages race

golden: ## rewrite the golden files of the datadriven tests
	.ci/golden

fuzz: ## every fuzz target for FUZZTIME (20s)
	FUZZTIME=$(FUZZTIME) .ci/stages fuzz

chaos: ## faults against real processes: SEED (0: a new one), DURATION
	$(GO) run ./test/faults --seed $(SEED) --duration $(DURATION) $(ARGS)

prove: ## plant each known bug, and demand that the fault harness catches it
	$(GO) run ./test/faults --prove $(ARGS)

bench: build ## measure the whole performance table into bench/results (ARGS: flags of bench)
	$(GO) build -C bench/peers -o ../../bin/bench-peers .
	mkdir -p bench/results
	$(BIN) bench --full --out bench/results $(ARGS) | tee bench/results/table.txt

soak: ## chaos for an hour, with a new seed
	$(GO) run ./test/faults --seed $(SEED) --duration 1h $(ARGS)

generate: ## regenerate the codecs of commands and records
	for m in $(MODULES); do (cd $$m && $(GO) generate ./...); done

clean: ## remove what was built; data folders stay
	rm -rf bin
	find $(WEB)/dist -mindepth 1 ! -name .keep -delete

help: ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12
