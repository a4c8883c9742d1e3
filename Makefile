# make run and make test do everything; make help says what else there is.

GO ?= go
STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2

# The device cuda is built in where the headers of the CUDA toolkit and cuDNN are,
# see make build-cuda. CUDA=no does without.
CUDA ?= auto
ifneq ($(CUDA),no)
cuda_headers := $(shell gpu/cuda/build/headers)
cuda_tag = $(if $(cuda_headers),cuda)
endif
cuda_archives = bin/cuda/libcuda.a bin/cuda/libcudnn.a

commit = $(shell git rev-parse --short=12 HEAD 2>/dev/null)$(shell git diff --quiet HEAD 2>/dev/null || echo +)
BUILDFLAGS = -tags '$(cuda_tag)' -ldflags '-X diaghess/train.commit=$(commit)'

# The study of make study: 7 pairs on the first 10,000 pictures, at the learning rates
# that docs/studies.md chose for 4 epochs of them.
STUDY = --datasets cifar10 --optimizers adamw,diaghess:lr=3e-6 --seeds 1-7 --epochs 4 --limit 10000 --protocol holdout --out results/cifar10

.PHONY: help
help: ## say what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

.PHONY: run
run: build ## build, and make two pages in a minute: the pilot's results, and a study of digits trained now
	bin/diaghess quickstart

.PHONY: study
study: build ## fetch CIFAR-10, compare adamw with diaghess on 10,000 of its pictures, 7 pairs, in 10 minutes on 2 cores: enough for large differences only
	bin/diaghess data fetch cifar10
	bin/diaghess study $(STUDY)

.PHONY: test
test: ## run all tests
	$(GO) test ./...

.PHONY: build
build: $(if $(cuda_tag),$(cuda_archives)) ## make bin/diaghess
	@echo "building $(if $(cuda_tag),with the device cuda,without the device cuda (make build-cuda fetches the headers that it needs))"
	$(if $(cuda_tag),$(cuda_environment) )$(GO) build $(BUILDFLAGS) -o bin/diaghess ./cmd/diaghess

.PHONY: bench
bench: build ## measure a training step
	bin/diaghess bench

# PEERS takes the flags of docs/bench-peers/run.py.
.PHONY: bench-peers
bench-peers: build ## measure a training step beside PyTorch and TensorFlow; installs them into bin/peers (7 GB)
	@command -v python3 >/dev/null || { echo "bench-peers needs python3 (3.11 for both peers)"; exit 1; }
	@python3 docs/bench-peers/run.py $(PEERS)

.PHONY: lint
lint: ## gofmt, go vet and staticcheck
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); test -z "$$unformatted" || { echo "gofmt would change:" $$unformatted; exit 1; }
	$(GO) vet ./...
	$(GO) run $(STATICCHECK) ./...
ifneq ($(cuda_tag),)
	@$(MAKE) --no-print-directory $(cuda_archives)
	$(cuda_environment) $(GO) vet -tags cuda ./...
	$(cuda_environment) $(GO) run $(STATICCHECK) -tags cuda ./...
endif

.PHONY: clean
clean: ## remove what was built; results stay
	rm -rf bin

# ---- The device cuda ----
#
# It needs the headers of the CUDA toolkit (11.8 to 13) and cuDNN (8.9 or 9): those
# of CUDA_HOME and CUDNN_HOME, else of /usr/local/cuda, else the compiler's own, else
# those that build-cuda fetches. Nothing of NVIDIA is linked: cu and cu/dnn ask for
# libcuda and libcudnn, and get empty archives and package shim.

# Go's cache does not see these headers: their checksum is among the flags, so that
# other headers are another build.
cuda_checksum = $(shell cat gpu/cuda/compat/*.h $(wildcard $(foreach header,cuda.h cudnn_version*.h nvtx3/nvToolsExt.h,$(patsubst -I%,%/$(header),$(cuda_headers)))) | cksum | cut -d' ' -f1)
cuda_own = -DDIAGHESS_HEADERS=% -I$(CURDIR)/gpu/cuda/compat -L$(CURDIR)/bin/cuda -O2 -g -Wno-deprecated-declarations $(cuda_headers)
cuda_cflags = -O2 -g -Wno-deprecated-declarations -DDIAGHESS_HEADERS=$(cuda_checksum) -I$(CURDIR)/gpu/cuda/compat $(cuda_headers) $(filter-out $(cuda_own),$(CGO_CFLAGS))
cuda_ldflags = -L$(CURDIR)/bin/cuda $(filter-out $(cuda_own),$(CGO_LDFLAGS))
cuda_environment = CGO_CFLAGS="$(cuda_cflags)" CGO_LDFLAGS="$(cuda_ldflags)"

.PHONY: build-cuda
build-cuda: ## make bin/diaghess with the device cuda; fetches the headers (77 MB) where there are none
	@gpu/cuda/build/headers fetch >/dev/null
	@$(MAKE) --no-print-directory build

# The tests run what a card runs, over a driver and a cuDNN that need none.
.PHONY: test-cuda
test-cuda: ## run the tests of the device cuda; needs no GPU; fetches the headers as build-cuda does
	@gpu/cuda/build/headers fetch >/dev/null
	@$(MAKE) --no-print-directory test-cuda-found

.PHONY: test-cuda-found
test-cuda-found: $(cuda_archives)
	$(cuda_test) ./gpu/cuda/...
	$(cuda_test) -run 'StandIn|Device' ./train ./cmd/diaghess
	$(cuda_test) -run './/cuda|.///cuda' ./train/golden

cuda_test = $(cuda_environment) $(GO) test -tags cuda

# What a machine with a card needs, but for its driver and cuDNN: see docs/gpu.md.
# GOLDEN=DIR packs other golden cases.
GOLDEN ?= train/golden/testdata

.PHONY: gpu-check
gpu-check: ## pack bin/gpu-check.tar.gz, whose diaghess gpu-check tests and measures a card elsewhere
	@gpu/cuda/build/headers fetch >/dev/null
	@$(MAKE) --no-print-directory gpu-check-found

.PHONY: gpu-check-found
gpu-check-found: $(cuda_archives)
	rm -rf bin/gpu-check bin/gpu-check.tar.gz
	mkdir -p bin/gpu-check
	$(cuda_environment) $(GO) build $(BUILDFLAGS) -o bin/gpu-check/diaghess ./cmd/diaghess
	$(cuda_environment) $(GO) test -c $(BUILDFLAGS) -o bin/gpu-check/golden.test ./train/golden
	cp -R '$(GOLDEN)' bin/gpu-check/golden
	tar -C bin -czf bin/gpu-check.tar.gz gpu-check
	@ls -l bin/gpu-check.tar.gz
	@test "$$(wc -c <bin/gpu-check.tar.gz)" -lt 60000000 || { echo "bin/gpu-check.tar.gz is larger than 60 MB"; exit 1; }

.PHONY: cuda-env
cuda-env: $(cuda_archives) ## print what go build -tags cuda needs: eval "$$(make -s cuda-env)"
	@echo 'export $(cuda_environment)'

$(cuda_archives):
	@mkdir -p $(@D)
	@printf '!<arch>\n' >$@

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
kernels-check: ## check that kernels/ptx is what the pinned nvcc makes, and assemble it without spills
	@rm -rf bin/ptx-check bin/depend/bin/ptx-check
	@$(MAKE) --no-print-directory kernels NVCC=pinned PTX=bin/ptx-check
	@diff -r kernels/ptx bin/ptx-check || { echo "kernels/ptx is not what its sources make: run make kernels NVCC=pinned"; exit 1; }
	@kernels/build/assemble "$$(kernels/build/toolkit)/ptxas" $(families:%=kernels/ptx/%.ptx)
