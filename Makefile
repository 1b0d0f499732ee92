# make demo   installs what is missing, builds, and edits the sample model
# make test   installs what is missing, builds, and runs the whole test suite
# make benchmark-patches   how fast patches get into checkpoints of 6 and 13.5 GB, beside a Python script and cp
# make fuzz   feeds the readers of hostile files with random damage, for a minute

BIN := .build/release
# numpy, zstandard, safetensors and tokenizers: independent witnesses of the tests. No tool needs Python.
WITNESS := .venv/with-tokenizers
SMOLLM2 := .cache/smollm2-135m


# An interpreter with torch and safetensors, for the benchmarks alone; and where they may use 30 GB.
BENCHMARK_PYTHON ?= python3
BENCHMARK_SCRATCH ?= .cache/benchmark

.PHONY: all build demo test fuzz benchmark-patches demo-smollm2 sample-patches format lint clean install-packages

all: build

install-packages:
	@.ci/install-packages

build: install-packages
	swift build -c release

demo: build
	@SamplePatches/demo.sh $(BIN)

test: install-packages $(WITNESS)
	swift test -c release

fuzz: install-packages
	@.ci/fuzz 60

benchmark-patches: build
	@mkdir -p $(BENCHMARK_SCRATCH)
	@python3 Tests/Benchmarks/patches.py $(BIN) $(BENCHMARK_PYTHON) $(BENCHMARK_SCRATCH)

demo-smollm2: build $(SMOLLM2)/model.safetensors
	@SamplePatches/smollm2/demo.sh $(BIN) $(SMOLLM2)

$(WITNESS):
	@.ci/python-environment .venv numpy zstandard safetensors tokenizers==0.23.3
	@touch $@

$(SMOLLM2)/model.safetensors: | $(WITNESS)
	@SamplePatches/smollm2/fetch.sh .venv/bin/python $(SMOLLM2)

# The sample patches and second moments, made again by our own tools.
sample-patches: build
	@SamplePatches/make-patches.sh $(BIN)

format:
	swift format -i -r Package.swift Sources Tests

lint:
	swift format lint -r --strict Package.swift Sources Tests

clean:
	rm -rf .build .venv demo
