# make run and make test do everything; make help says what else there is.

GO ?= go
STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2

# oneDNN makes the CPU about five times as fast. ONEDNN=no does without.
ONEDNN ?= auto
has_dnnl = $(shell printf '\#include <dnnl.h>\n' | $(CC) -E $(CGO_CFLAGS) - >/dev/null 2>&1 && echo yes)

ifneq ($(ONEDNN),no)
ifeq ($(has_dnnl),yes)
TAGS = onednn
endif
endif

commit = $(shell git rev-parse --short=12 HEAD 2>/dev/null)$(shell git diff --quiet HEAD 2>/dev/null || echo +)
BUILDFLAGS = -tags '$(TAGS)' -ldflags '-X diaghess/train.commit=$(commit)'

# The study of make run: 2 optimizers x 3 seeds on the first 10,000 pictures.
STUDY = --datasets cifar10 --optimizers adamw,diaghess --seeds 0-2 --epochs 3 --limit 10000 --out results/quick

.PHONY: help
help: ## say what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

.PHONY: run
run: onednn ## install, build, fetch CIFAR-10, run a quick study and print its table
	@$(MAKE) --no-print-directory build
	bin/diaghess data fetch cifar10
	bin/diaghess study $(STUDY)

.PHONY: test
test: ## run all tests
	$(GO) test -tags '$(TAGS)' ./...

.PHONY: build
build: ## make bin/diaghess
	@echo "building with convolutions by $(if $(TAGS),oneDNN,gonum (pure Go; install oneDNN's headers for five times the speed))"
	$(GO) build $(BUILDFLAGS) -o bin/diaghess ./cmd/diaghess

.PHONY: bench
bench: build ## measure a training step
	bin/diaghess bench

.PHONY: lint
lint: ## gofmt, go vet and staticcheck
	@unformatted=$$(gofmt -l .); test -z "$$unformatted" || { echo "gofmt would change:" $$unformatted; exit 1; }
	$(GO) vet ./...
	$(GO) run $(STATICCHECK) ./...
ifeq ($(TAGS),onednn)
	$(GO) vet -tags onednn ./...
	$(GO) run $(STATICCHECK) -tags onednn ./...
endif

.PHONY: clean
clean: ## remove what was built; results stay
	rm -rf bin

# Installs oneDNN where it is missing and apt-get can; without it the build is
# pure Go, which is complete, but slow.
.PHONY: onednn
onednn:
ifeq ($(ONEDNN),no)
	@echo "ONEDNN=no: convolutions in pure Go"
else ifeq ($(has_dnnl),yes)
else
	@if command -v apt-get >/dev/null && { [ "$$(id -u)" = 0 ] || command -v sudo >/dev/null; }; then \
		echo "installing oneDNN and a C compiler for the CPU's convolutions (make run ONEDNN=no does without):"; \
		sudo=$$([ "$$(id -u)" = 0 ] || echo sudo); \
		echo "    $$sudo apt-get install libdnnl-dev gcc"; \
		$$sudo apt-get update -q >/dev/null && $$sudo apt-get install -yq libdnnl-dev gcc >/dev/null || \
		{ echo "could not install oneDNN: install its headers by hand, or do without it by make run ONEDNN=no"; exit 1; }; \
	else \
		echo "oneDNN's headers (dnnl.h) are not here and apt-get is not either: going on in pure Go, five times as slow"; \
	fi
endif
