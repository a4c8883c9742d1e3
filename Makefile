# make run and make test do everything; make help says what else there is.

# GNU make skips this definition; another make stops here with the message.
define other_make
.error this Makefile needs GNU make, which BSD systems call gmake
endef

GO ?= go
# staticcheck needs a newer Go than the program, so it has a go.mod of its own.
STATICCHECK = $(GO) tool -modfile=.ci/tools/go.mod staticcheck

# A go.work above this folder is not ours.
export GOWORK = off
git = git -c safe.directory='*'
stamp = $(shell GO='$(GO)' train/build/stamp)
BUILDFLAGS = -trimpath -buildvcs=false -ldflags '-X diaghess/train.stamp=$(stamp)'

# The study of make study: 7 pairs on the first 10,000 pictures, at the learning rates
# that docs/studies.md chose for 4 epochs of them.
STUDY = --datasets cifar10 --optimizers adamw,diaghess:lr=3e-6 --seeds 1-7 --epochs 4 --limit 10000 --protocol holdout --out results/cifar10

.PHONY: help
help: ## say what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

# QUICKSTART takes flags of diaghess quickstart, such as --seeds 3.
.PHONY: run
run: build ## build, and make two pages in a minute: the pilot's results, and a study of digits trained now
	bin/diaghess quickstart $(QUICKSTART)

.PHONY: study
study: build ## fetch CIFAR-10, compare adamw with diaghess on 10,000 of its pictures, 7 pairs, in 10 minutes on 2 cores: enough for large differences only
	bin/diaghess data fetch cifar10
	bin/diaghess study $(STUDY)

.PHONY: test
test: go ## run all tests (SHORT=1: those that take little time)
	CGO_ENABLED=0 $(GO) test $(if $(SHORT),-short) ./...

# Minimizing what is merely new would take most of a short FUZZTIME.
# It counts inputs: a limit in seconds can end in "context deadline exceeded" without a
# finding before Go 1.27 (go.dev/issue/75804).
FUZZTIME ?= 20000x

.PHONY: fuzz
fuzz: go ## run each fuzz target for FUZZTIME, 20000x inputs by default
	@list=$$(CGO_ENABLED=0 $(GO) test -list '^Fuzz' ./...) || { echo "$$list"; exit 1; }; \
	echo "$$list" | awk '/^Fuzz/ { names = names " " $$1 } /^ok/ { if (names) print $$2 names; names = "" }' | \
	while read -r package names; do for name in $$names; do \
		(set -x; CGO_ENABLED=0 $(GO) test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 1000x "$$package" </dev/null) || exit 1; \
	done; done

# Stops where there is no Go, or one that cannot read go.mod.
.PHONY: go
go:
	@case "$$($(GO) env GOVERSION)" in \
	go1.2[4-9]*|go1.[3-9][0-9]*|devel*) ;; \
	*) echo "diaghess needs Go 1.24 or newer: see https://go.dev/dl, or name another with GO=..."; exit 1 ;; \
	esac

.PHONY: build
build: go ## make bin/diaghess; with the device cuda where there are headers for it (CUDA=no: without)
	@$(found) set -x && $(GO) build $${tags:+-tags $$tags} $(BUILDFLAGS) -o bin/diaghess ./cmd/diaghess

.PHONY: bench
bench: build ## measure a training step
	bin/diaghess bench

# PEERS takes the flags of docs/bench-peers/run.py.
.PHONY: bench-peers
bench-peers: build ## measure a training step beside PyTorch and TensorFlow; installs them into bin/peers (7 GB)
	@command -v python3 >/dev/null || { echo "bench-peers needs python3 (3.11 for both peers)"; exit 1; }
	@python3 docs/bench-peers/run.py $(PEERS)

.PHONY: lint
lint: go ## gofmt, go vet, staticcheck, and the checks of .ci/lint: prose, imports
	@unformatted=$$(gofmt -l $$($(git) ls-files '*.go')); test -z "$$unformatted" || { echo "gofmt would change:" $$unformatted; exit 1; }
	$(GO) vet ./...
	$(STATICCHECK) ./...
	@$(found) test -z "$$tags" || { set -x && $(GO) vet -tags cuda ./... && $(STATICCHECK) -tags cuda ./...; }
	$(GO) test -count=1 ./.ci/lint

.PHONY: picture
picture: go ## draw docs/architecture.svg from the imports
	$(GO) test -count=1 ./.ci/lint -run Picture -update

.PHONY: dist
dist: go ## make the archives of a release in bin/dist and try those that run here
	.ci/dist

.PHONY: clean
clean: ## remove what was built; results stay
	rm -rf bin

# ---- The device cuda ----
#
# It needs the headers of the CUDA toolkit (11.8 to 13) and cuDNN (8.9 or 9), which
# gpu/cuda/build/headers finds by compiling with them. Nothing of NVIDIA is linked: cu
# and cu/dnn ask for libcuda and libcudnn, and get empty archives and package shim.
CUDA ?= auto
found = $(if $(filter no,$(CUDA)),export CGO_ENABLED=0 tags=;,settings=$$(GO='$(GO)' gpu/cuda/build/headers) && eval "$$settings" &&)
fetched = settings=$$(GO='$(GO)' gpu/cuda/build/headers fetch) && eval "$$settings" &&

.PHONY: build-cuda
build-cuda: go ## make bin/diaghess with the device cuda; fetches the headers (77 MB) where there are none
	@$(fetched) set -x && $(GO) build -tags cuda $(BUILDFLAGS) -o bin/diaghess ./cmd/diaghess

# The tests run what a card runs, over a driver and a cuDNN that need none.
.PHONY: test-cuda
test-cuda: go ## run the tests of the device cuda; needs no GPU; fetches the headers as build-cuda does
	@$(fetched) set -ex; \
	$(GO) test -tags cuda ./gpu/cuda/... ./gpu/devices; \
	$(GO) test -tags cuda -run 'StandIn|Device' ./train/... ./cmd/diaghess; \
	$(GO) test -tags cuda -run './/cuda|.///cuda' ./train/golden

# What a machine with a card needs, but for its driver and cuDNN: see docs/gpu.md.
# GOLDEN=DIR packs other golden cases.
GOLDEN ?= train/golden/testdata

.PHONY: gpu-check
gpu-check: go ## pack bin/gpu-check.tar.gz, whose diaghess gpu-check tests and measures a card elsewhere
	rm -rf bin/gpu-check bin/gpu-check.tar.gz
	mkdir -p bin/gpu-check
	@$(fetched) set -ex; \
	$(GO) build -tags cuda $(BUILDFLAGS) -o bin/gpu-check/diaghess ./cmd/diaghess
	cp -R '$(GOLDEN)' bin/gpu-check/golden
	tar -C bin -czf bin/gpu-check.tar.gz gpu-check
	@ls -l bin/gpu-check.tar.gz
	@test "$$(wc -c <bin/gpu-check.tar.gz)" -lt 60000000 || { echo "bin/gpu-check.tar.gz is larger than 60 MB"; exit 1; }

.PHONY: cuda-env
cuda-env: ## print what go build -tags cuda needs, for a shell to evaluate: see docs/gpu.md
	@GO='$(GO)' gpu/cuda/build/headers fetch

# ---- The CUDA kernels ----
#
# kernels/*.cu become kernels/ptx/*.ptx, which are checked in and embedded, so
# that nothing else needs nvcc. NVCC=... names a compiler; else it is the one on
# PATH or in CUDA_HOME, else the pinned one, which is installed. Commit what the
# pinned one makes: NVCC=pinned.
NVCC ?= $(or $(shell command -v nvcc 2>/dev/null),$(if $(CUDA_HOME),$(wildcard $(CUDA_HOME)/bin/nvcc)),pinned)

# No contraction, so that a product that is added is rounded first, as in Go.
# -lineinfo writes absolute paths: a profiling build is not the one checked in.
NVCCFLAGS = -std=c++17 -O3 -arch=compute_75 -fmad=false -Werror=all-warnings
PTX = kernels/ptx
ifdef LINEINFO
NVCCFLAGS += -lineinfo
PTX = bin/ptx-lineinfo
endif

families = $(basename $(notdir $(wildcard kernels/*.cu)))
modules = $(families:%=$(PTX)/%.ptx)
dependencies = bin/depend/$(PTX)
nvcc = $(if $(filter pinned,$(NVCC)),$$(kernels/build/toolkit)/nvcc,$(NVCC))

.PHONY: kernels
kernels: $(modules) $(PTX)/manifest.json ## compile kernels/*.cu to PTX (LINEINFO=1: for a profiler, into bin/ptx-lineinfo)

# The version that PTX states is its compiler's; ours uses nothing newer than
# 7.0, which drivers from CUDA 11.0 on load.
$(PTX)/%.ptx: kernels/%.cu $(dependencies)/%.d | $(PTX) $(dependencies)
	@echo "nvcc $<"
	@nvcc=$(nvcc) && "$$nvcc" $(NVCCFLAGS) -MD -MP -MF $(dependencies)/$*.d -MT $@ -ptx -o $@.new $<
	@sed 's/^\.version .*/.version 7.0/' $@.new >$@ && rm $@.new

$(PTX)/manifest.json: $(modules) $(wildcard kernels/*.cuh) kernels/build/manifest
	@nvcc=$(nvcc) && kernels/build/manifest "$$nvcc" '$(NVCCFLAGS)' >$@.new && mv $@.new $@

$(PTX) $(dependencies):
	@mkdir -p $@

# Without its list of headers, a module is made anew.
$(families:%=$(dependencies)/%.d):
-include $(wildcard $(families:%=$(dependencies)/%.d))

.PHONY: kernels-check
kernels-check: ## check that kernels/ptx is what the pinned nvcc makes, and assemble it and the PTX of rule files without spills
	@rm -rf bin/ptx-check bin/depend/bin/ptx-check
	@$(MAKE) --no-print-directory kernels NVCC=pinned PTX=bin/ptx-check
	@diff -r kernels/ptx bin/ptx-check || { echo "kernels/ptx is not what its sources make: run make kernels NVCC=pinned"; exit 1; }
	@kernels/build/assemble "$$(kernels/build/toolkit)/ptxas" $(families:%=kernels/ptx/%.ptx)
	PTXAS="$$(kernels/build/toolkit)/ptxas" $(GO) test -count=1 -v -run Assemble ./optim/rulefile/fused
