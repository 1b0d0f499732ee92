# make demo   installs what is missing, builds, and edits the sample model
# make test   installs what is missing, builds, and runs the whole test suite

BIN := .build/release
# numpy, zstandard, safetensors and tokenizers: independent witnesses of the tests. No tool needs Python.
WITNESS := .venv/with-tokenizers
SMOLLM2 := .cache/smollm2-135m

.PHONY: all build demo test demo-smollm2 sample-patches format lint clean install-packages

all: build

install-packages:
	@.ci/install-packages

build: install-packages
	swift build -c release

demo: build
	@SamplePatches/demo.sh $(BIN)

test: install-packages $(WITNESS)
	swift test -c release

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
