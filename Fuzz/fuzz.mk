# The fuzz targets: the rooms that read what others wrote, compiled anew with libFuzzer's instrumentation into
# .build/fuzz, a module again only when it, or one that it imports, has changed. Of the host's rooms only the files that
# need no package: those that read stores, settings and saved state.
FUZZ       := .build/fuzz
FUZZ_FLAGS := -swift-version 6 -wmo -parse-as-library -O -gline-tables-only -enable-testing \
  -enable-experimental-feature Lifetimes -enforce-exclusivity=checked -cross-module-optimization -sanitize=fuzzer \
  -module-cache-path $(FUZZ)/cache -file-prefix-map $(CURDIR)=. -I $(FUZZ) -I Sources/CLinux

FUZZ_IMPORTS_Wire       :=
FUZZ_IMPORTS_Protocol   := Wire
FUZZ_IMPORTS_Heap       :=
FUZZ_IMPORTS_Kernel     := Heap
FUZZ_IMPORTS_Programs   := Heap Kernel
FUZZ_IMPORTS_Devices    :=
FUZZ_IMPORTS_History    := Wire
FUZZ_IMPORTS_Control    :=
FUZZ_IMPORTS_Segment    := Control
FUZZ_IMPORTS_Store      := Wire
FUZZ_IMPORTS_Durability := Wire Protocol Store
FUZZ_IMPORTS_PageServer := Wire Protocol Store Durability Heap Kernel Control
FUZZ_IMPORTS_Targets    := Wire Protocol Store Durability Heap Kernel Programs Devices History Control Segment \
  PageServer
FUZZ_MODULES            := $(FUZZ_IMPORTS_Targets) Targets

fuzz_sources = $(sort $(wildcard Sources/$(1)/*.swift) $(wildcard Sources/$(1)/*/*.swift))
FUZZ_SOURCES_Control    := $(shell grep -L "^import \(NIO\|Logging\)" Sources/Control/*.swift)
FUZZ_SOURCES_Segment    := Sources/Segment/Faults.swift
FUZZ_SOURCES_PageServer := $(addprefix Sources/PageServer/,ImageReader.swift JobReader.swift OutputReader.swift \
  SharedImage.swift StoredPages.swift Clock.swift StoreDirectory.swift StoreFailure.swift SegmentTail.swift \
  CheckpointName.swift CheckpointReport.swift)
FUZZ_SOURCES_Targets    := $(sort $(wildcard Fuzz/Targets/*.swift)) Sources/Simulation/SimulatedDisk.swift

define fuzz_compile
FUZZ_SOURCES_$(1) ?= $(call fuzz_sources,$(1))
$(FUZZ)/$(1).o: $$(FUZZ_SOURCES_$(1)) $(FUZZ_IMPORTS_$(1):%=$(FUZZ)/%.o) Fuzz/fuzz.mk | $(FUZZ)
	@echo "  fuzz $(1)"
	@swiftc $(FUZZ_FLAGS) -module-name $(1) -c -o $$@ -emit-module -emit-module-path $(FUZZ)/$(1).swiftmodule \
	  $$(FUZZ_SOURCES_$(1))
	@touch $$@
endef
$(foreach module,$(FUZZ_MODULES),$(eval $(call fuzz_compile,$(module))))

$(FUZZ)/fuzz: $(FUZZ_MODULES:%=$(FUZZ)/%.o)
	@swiftc -sanitize=fuzzer -o $@ $^

# The command line: the room plurix anew, linked with all else as the host's build has left it.
FUZZ_COMMAND       := $(filter-out -I $(FUZZ) Sources/CLinux,$(FUZZ_FLAGS)) -I $(FUZZ)/command
FUZZ_COMMAND_LINES := $(FUZZ)/command/plurix.o $(FUZZ)/command/CommandLines.o

$(PLURIX): command
	@:

$(FUZZ)/command/plurix.o: $(PLURIX) $(wildcard Sources/plurix/*.swift) Fuzz/fuzz.mk Fuzz/imports
	@echo "  fuzz plurix"
	@mkdir -p $(@D)
	@swiftc $(FUZZ_COMMAND) $$(Fuzz/imports) -Xfrontend -entry-point-function-name -Xfrontend plurix_main \
	  -package-name plurix -module-name plurix -c -o $@ -emit-module -emit-module-path $(@:.o=.swiftmodule) \
	  $(filter %.swift,$^)
	@touch $@

$(FUZZ)/command/CommandLines.o: $(wildcard Fuzz/CommandLine/*.swift) $(FUZZ)/command/plurix.o
	@echo "  fuzz CommandLines"
	@swiftc $(FUZZ_COMMAND) $$(Fuzz/imports) -module-name CommandLines -c -o $@ $(filter %.swift,$^)
	@touch $@

$(FUZZ)/commandline: $(FUZZ_COMMAND_LINES)
	@grep -v /plurix.build/ .build/release/plurix.product/Objects.LinkFileList >$@.objects
	@swiftc -sanitize=fuzzer -o $@ $(FUZZ_COMMAND_LINES) @$@.objects -lvirt

$(FUZZ):
	@mkdir -p $@
