# Bare `make` prints the targets. Everything is built into .build; nothing else is written.
# Host tools and tests share one release build: one set of objects, and simulations run at full speed.
SWIFT      ?= swift
SWIFTFLAGS := -c release -Xswiftc -enable-testing
PLURIX     := .build/release/plurix

.DEFAULT_GOAL := help
.PHONY: help prepare build command image demo test test-all sim sim-night sim-sensitivity kills
.PHONY: model model-mutants fuzz bench check clean

help:
	@printf '%s\n' \
	  'make demo      everything from a fresh machine: build, boot three nodes, count words, stop' \
	  'make test      all tests, real virtual machines included' \
	  'make test-all  every program on 1, 2, 3 and 5 nodes, both network cards, with and without loss' \
	  'make build     the command .build/release/plurix and the node image' \
	  'make image     the node image alone, .build/image/node.elf, checked against its budgets' \
	  'make sim       the protocol in a seeded simulation; SEED=n replays one seed' \
	  'make sim-night fresh seeds for SECONDS=n; failures are shrunk and shown' \
	  'make sim-sensitivity  is each planted bug found? BUG=name: this one; FRESH=1: with fresh seeds alone' \
	  'make kills     writers of a store killed at KILLS=500 random moments: is what they acknowledged there?' \
	  'make model     the protocol in a model: every state within stated bounds; model-mutants: is each rule needed?' \
	  'make fuzz      hostile input to every parser, ring and core; SECONDS=60 in all; TARGET=name INPUT=file repeats one' \
	  'make bench     figures, into .build/bench/result.json; PEER=DIRECTORY adds a comparison' \
	  'make check     what needs no virtual machine: style, unit tests' \
	  'make prepare   install the Debian packages that are missing (done by all of the above)' \
	  'make clean     remove .build'

prepare:
	@scripts/prepare

build: command image

command: prepare .build/image/node-domain.xml
	$(SWIFT) build $(SWIFTFLAGS) --product plurix

image: prepare

-include Images/image.mk
-include Fuzz/fuzz.mk

# The command finds the machine's template beside the image.
.build/image/node-domain.xml: Images/node-domain.xml
	@mkdir -p $(@D)
	@cp $< $@

demo: build
	scripts/demo $(PLURIX)

test: build
	PLURIX=$(abspath $(PLURIX)) scripts/test $(SWIFTFLAGS)

test-all: build
	PLURIX=$(abspath $(PLURIX)) PLURIX_TEST_ALL=1 scripts/test $(SWIFTFLAGS)

check: prepare
	env -u PLURIX scripts/test $(SWIFTFLAGS)

sim: prepare
	$(SWIFT) build $(SWIFTFLAGS) --product simulate
	.build/release/simulate $(SEED)

sim-night: prepare
	$(SWIFT) build $(SWIFTFLAGS) --product simulate
	.build/release/simulate --seconds $(SECONDS)

# All planted bugs are in one build, each asleep until its number is chosen; the sources have none of it.
sim-sensitivity: prepare
	@Sensitivity/plant.py .build/planted
	$(SWIFT) build -c release --package-path .build/planted --product simulate
	@Sensitivity/run.py $(BUG)

KILLS ?= 500

kills: prepare
	$(SWIFT) build $(SWIFTFLAGS) --product killstore
	.build/release/killstore --kills $(KILLS)

model: prepare
	Models/run

model-mutants: prepare
	Models/run mutants

SECONDS ?= 60

fuzz: prepare .build/fuzz/fuzz .build/fuzz/commandline
	@SECONDS_TO_FUZZ=$(SECONDS) Fuzz/run $(TARGET) $(INPUT)

bench: build
	@Benchmarks/prepare $(PEER)
	Benchmarks/run.py --plurix $(PLURIX) $(if $(PEER),--peer $(PEER))

clean:
	rm -rf .build
