# make help lists the targets.

DURATION ?= 60s
ARGS     ?=
FUZZTIME ?= 30s
VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)

GO       ?= go
MODULE   := github.com/scalemodel/lamport
LDFLAGS  := -s -w -X $(MODULE)/pkg/command.version=$(VERSION)
LINTER   := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
NPM      := pkg/page/_npm
IMAGE    ?= localhost/lamport
PLATFORMS := linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64

# The race detector needs a C compiler; without one the tests run all the same.
RACE := $(if $(shell command -v $${CC:-gcc} 2>/dev/null),-race)

.DEFAULT_GOAL := help
.PHONY: help build run test test-kubernetes lint page-tools page-lint picture bench bench-peers bench-scaling bench-docs bench-page profile fuzz cross image clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build bin/launcher and bin/vm
	@mkdir -p bin
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/ ./cmd/...

run: build ## run the default cluster (DURATION=10s shortens it, ARGS='--seed 7' adds flags)
	@bin/launcher run --duration $(DURATION) $(ARGS)

# Where every change is tested, or with LONG=1, chance looks for faults five times as often, and what takes
# long is done. Else time counts: many tests wait for processes, so one more package than there are processors
# is tested at a time.
SHORT := $(if $(LONG)$(filter true,$(CI)),,-short -p $(shell echo $$(($$(getconf _NPROCESSORS_ONLN || echo 1) + 1))))

# A process under the race detector otherwise sleeps a second at its end. By the launcher's profile, all that
# it is made of would be compiled once more, which takes minutes of the processor where nothing is built yet. It
# is for lint to vet.
test: page-tools ## run all tests (LONG=1 at length)
	@$(if $(RACE),,echo 'no C compiler: the race detector is off';) \
	GORACE=atexit_sleep_ms=0 $(GO) test $(RACE) $(SHORT) -vet=off -pgo=off -timeout 20m ./...

test-kubernetes: ## hold the objects for Kubernetes against its own code (a module of its own, which builds for minutes)
	cd deploy/kubernetes/validate && $(GO) test -count 1 .

lint: page-tools ## check format, vet, static analysis, shell scripts, the page's scripts
	$(GO) run $(LINTER) run ./...
	@if command -v shellcheck >/dev/null; then shellcheck scripts/*.sh .ci/run deploy/*.sh deploy/*/*.sh deploy/slurm/*.sbatch deploy/*/testdata/*.sh pkg/command/completions/bash; \
	elif [ "$$CI" = true ]; then echo 'shellcheck is missing' >&2; exit 1; \
	else echo 'shellcheck is missing: the scripts were not checked'; fi
	@if [ -e $(NPM)/node_modules/installed ]; then $(MAKE) --no-print-directory page-lint; \
	else echo "the page's tools are missing: its scripts were not checked"; fi

page-lint:
	cd pkg/page && node _npm/node_modules/typescript/bin/tsc -p _npm
	cd pkg/page && node _npm/node_modules/typescript/bin/tsc -p _npm/tsconfig.test.json
	cd pkg/page && node _npm/node_modules/eslint/bin/eslint.js --max-warnings 0 -c _npm/eslint.config.js web

# What checks the page's scripts: TypeScript and ESLint for lint, axe-core for the browser tests.
page-tools:
	@if command -v npm >/dev/null; then $(MAKE) --no-print-directory $(NPM)/node_modules/installed || [ "$$CI" != true ]; \
	elif [ "$$CI" = true ]; then echo 'npm is missing' >&2; exit 1; fi

$(NPM)/node_modules/installed: $(NPM)/package-lock.json
	cd $(NPM) && npm ci --silent --prefer-offline && touch node_modules/installed

picture: ## make the picture of a report that the README shows (needs Chromium)
	$(GO) test ./pkg/page -run '^TestPicture$$' -count 1 -args -picture $(CURDIR)/docs/report.png

# What is measured, and how each row of the tables is, stands in pkg/internal/bench/rows.go. An interrupted
# measurement goes on where it was. ROWS is a regular expression of rows or benchmarks.
COUNT ?=
ROWS  ?=
SETS  ?= stages peers scaling
BENCH := $(GO) run ./pkg/internal/bench

bench: ## measure every stage against its limit (5 minutes; ROWS='check|replay' some, COUNT=6 with spread)
	@$(BENCH) measure -set stages -count $(or $(COUNT),1) -rows '$(ROWS)' -store bin/bench

bench-peers: ## measure other programs on the same model: SimPy, SimGrid, ns-3, hclog, serf (3 minutes)
	@$(BENCH) measure -set peers -count $(or $(COUNT),1) -rows '$(ROWS)' -store bin/bench

bench-scaling: ## measure the curves over machines and events (3 minutes)
	@$(BENCH) measure -set scaling -count $(or $(COUNT),1) -rows '$(ROWS)' -store bin/bench

bench-docs: ## measure all that docs/benchmarks.md shows, six times, and make it (20 minutes on a quiet host; SETS=peers a part)
	@for set in $(SETS); do $(BENCH) measure -set $$set -count $(or $(COUNT),6) -rows '$(ROWS)' || exit 1; done
	@$(BENCH) page

bench-page: ## make docs/benchmarks.md again from what was measured
	@$(BENCH) page

# The compiler takes it by itself. One that is old costs speed, and nothing else.
profile: ## measure anew by what the launcher is compiled: cmd/launcher/default.pgo (a minute)
	@rm -rf bin/profile && mkdir -p bin/profile
	@measure() { $(GO) test -trimpath -run '^$$' -bench "$$2" -cpuprofile "bin/profile/$${1##*/}.prof" -o bin/profile/test "./$$1"; }; \
	measure pkg/trace '^Benchmark(Check|Stats)$$' && measure pkg/report '^BenchmarkExport$$' && \
	measure pkg/replay '^BenchmarkRun$$' && measure pkg/sim '^BenchmarkMachines$$/^machines=(3|1000)$$|^BenchmarkLogs$$'
	$(GO) tool pprof -proto bin/profile/*.prof >bin/profile/all
	mv bin/profile/all cmd/launcher/default.pgo

fuzz: ## fuzz each target for FUZZTIME
	@for pkg in $$($(GO) list ./...); do \
		for target in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz'); do \
			$(GO) test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x $$pkg || exit 1; \
		done; \
	done

cross: ## build for all platforms into dist/, and vet where an int has 32 bits
	@for p in $(PLATFORMS); do \
		echo "$$p"; \
		mkdir -p "dist/$$p"; \
		CGO_ENABLED=0 GOOS=$${p%/*} GOARCH=$${p#*/} $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o "dist/$$p/" ./cmd/... || exit 1; \
	done
	CGO_ENABLED=0 GOARCH=386 $(GO) vet ./...

# A volume gets the owner of the directory that it covers, so the image has some for volumes to cover.
image: ## build the container image IMAGE with docker or podman
	@engine=$$(command -v docker || command -v podman) || { echo 'docker and podman are missing' >&2; exit 1; }; \
	rm -rf bin/image && mkdir -p bin/image/data/logs bin/image/data/gathered bin/image/data/certs/gather && \
	for id in 0 1 2 3 4 5 6 7 8 9; do mkdir bin/image/data/certs/vm-$$id || exit 1; done && \
	CGO_ENABLED=0 GOOS=linux $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/image/ ./cmd/... && \
	"$$engine" build -t $(IMAGE) -f deploy/compose/Dockerfile bin/image

clean: ## remove what was built (runs stay)
	rm -rf bin dist
	$(GO) clean -testcache
