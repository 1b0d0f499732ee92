# make demo   installs what is missing, builds, and edits the sample model
# make test   installs what is missing, builds, and runs the whole test suite
# make fuzz   feeds the readers of hostile files with random damage, for a minute

BIN := .build/release
# numpy, zstandard and safetensors: the independent witness of the tests. No tool needs Python.
WITNESS := .venv/ready
SMOLLM2 := .cache/smollm2-135m

.PHONY: all build demo test fuzz demo-smollm2 sample-patches format lint clean install-packages

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

demo-smollm2: build $(SMOLLM2)/model.safetensors
	@SamplePatches/smollm2/demo.sh $(BIN) $(SMOLLM2)

$(WITNESS):
	@.ci/python-environment .venv numpy zstandard safetensors
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
