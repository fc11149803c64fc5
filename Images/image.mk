# The node image: every module in order of import, compiled freestanding, linked with Boot/ into
# .build/image/node.elf; its debug information is in node.debug beside it. A module is compiled again only when it,
# or a module it imports, has changed.
IMAGE   := .build/image
SWIFTC  ?= swiftc
NASM    ?= nasm

# -O and not -Osize: for size the compiler moves every larger value by `rep movsb`, byte after byte, which costs an
# instruction a byte under emulation; boot and event loop ran twice as long. The budget of bytes still has room.
# BMI2 (every x86-64 since Haswell and Excavator; Boot/entry.asm looks) for its rotation that sets no flags: under
# emulation a load or store behind one that does costs a call, and the tag of a page is made of rotations.
IMAGE_FLAGS := -target x86_64-unknown-none-elf -swift-version 6 -wmo -parse-as-library -O -g \
  -enable-experimental-feature Embedded -enable-experimental-feature Lifetimes -enforce-exclusivity=unchecked \
  -Xcc -ffreestanding -Xcc -mno-red-zone -Xcc -mno-sse -Xcc -mno-mmx -Xcc -mbmi2 \
  -Xfrontend -disable-stack-protector -Xfrontend -function-sections \
  -Xcc -fmodule-map-file=Sources/Machine/Instructions/module.modulemap \
  -module-cache-path $(IMAGE)/cache -file-prefix-map $(CURDIR)=. -I $(IMAGE)
NASM_FLAGS := -f elf64 -Wall -Werror -g -F dwarf

# What each module imports, as in Package.swift; Machine and Node exist only in the image.
IMPORTS_Wire     :=
IMPORTS_Protocol := Wire
IMPORTS_Paging   :=
IMPORTS_Heap     :=
IMPORTS_Kernel   := Heap
IMPORTS_Programs := Heap Kernel
IMPORTS_Devices  :=
IMPORTS_Machine  := Devices
IMPORTS_Node     := Wire Protocol Paging Heap Kernel Programs Devices Machine
NODE_MODULES     := $(IMPORTS_Node) Node

NODE_OBJECTS := $(NODE_MODULES:%=$(IMAGE)/%.o)
BOOT_OBJECTS := $(patsubst Boot/%.asm,$(IMAGE)/boot-%.o,$(wildcard Boot/*.asm))

image: $(IMAGE)/node.checked

.PHONY: image-check
image-check: $(IMAGE)/Machine.o $(BOOT_OBJECTS)
	@Tests/MachineTests/run $(IMAGE) '$(IMAGE_FLAGS)'

sources = $(shell find Sources/$(1) $(2) 2>/dev/null | sort)

# The directories are prerequisites too: their time changes when a file comes or goes.
define compile
$(IMAGE)/$(1).o: $(call sources,$(1),-type d -o -name '*.swift' -o -name '*.h') \
  $(IMPORTS_$(1):%=$(IMAGE)/%.o) Images/image.mk | $(IMAGE)
	@echo "  swift $(1)"
	@$(SWIFTC) $(IMAGE_FLAGS) -module-name $(1) -c -o $$@ \
	  -emit-module -emit-module-path $(IMAGE)/$(1).swiftmodule \
	  $(call sources,$(1),-name '*.swift')
	@touch $$@ # the compiler leaves a file alone that would not change
endef
$(foreach module,$(NODE_MODULES),$(eval $(call compile,$(module))))

$(IMAGE)/boot-%.o: Boot/%.asm | $(IMAGE)
	@echo "  nasm $*"
	@$(NASM) $(NASM_FLAGS) -o $@ $<

$(IMAGE)/node.elf: $(NODE_OBJECTS) $(BOOT_OBJECTS) Boot/node.ld Images/link Images/node.budget
	@echo "  link node"
	@Images/link $@ Images/node.budget $(BOOT_OBJECTS) $(NODE_OBJECTS)

$(IMAGE)/node.checked: $(IMAGE)/node.elf Images/check-boot
	@Images/check-boot $< Images/node.budget
	@touch $@

$(IMAGE):
	@mkdir -p $@
