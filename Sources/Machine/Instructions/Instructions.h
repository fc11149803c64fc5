// Instructions that Swift has no words for, and the symbols that nasm, the linker and Machine share.
//
// Every function inlines to one instruction or two. The `volatile` and the memory clobbers matter: a register read
// whose result is dropped must still happen, and ring contents must be in memory before the device is told.

#pragma once
#include <stdint.h>
#include <stdbool.h>

#define INSTRUCTION static inline __attribute__((always_inline))

// MARK: Ports

INSTRUCTION uint8_t portRead8(uint16_t port) {
    uint8_t value;
    __asm__ volatile("inb %w1, %b0" : "=a"(value) : "Nd"(port) : "memory");
    return value;
}
INSTRUCTION uint16_t portRead16(uint16_t port) {
    uint16_t value;
    __asm__ volatile("inw %w1, %w0" : "=a"(value) : "Nd"(port) : "memory");
    return value;
}
INSTRUCTION uint32_t portRead32(uint16_t port) {
    uint32_t value;
    __asm__ volatile("inl %w1, %k0" : "=a"(value) : "Nd"(port) : "memory");
    return value;
}
INSTRUCTION void portWrite8(uint16_t port, uint8_t value) {
    __asm__ volatile("outb %b0, %w1" : : "a"(value), "Nd"(port) : "memory");
}
INSTRUCTION void portWrite16(uint16_t port, uint16_t value) {
    __asm__ volatile("outw %w0, %w1" : : "a"(value), "Nd"(port) : "memory");
}
INSTRUCTION void portWrite32(uint16_t port, uint32_t value) {
    __asm__ volatile("outl %k0, %w1" : : "a"(value), "Nd"(port) : "memory");
}

// MARK: Device memory

INSTRUCTION uint8_t memoryRead8(uint64_t address) { return *(volatile uint8_t *)address; }
INSTRUCTION uint16_t memoryRead16(uint64_t address) { return *(volatile uint16_t *)address; }
INSTRUCTION uint32_t memoryRead32(uint64_t address) { return *(volatile uint32_t *)address; }
INSTRUCTION uint64_t memoryRead64(uint64_t address) { return *(volatile uint64_t *)address; }
INSTRUCTION void memoryWrite8(uint64_t address, uint8_t value) { *(volatile uint8_t *)address = value; }
INSTRUCTION void memoryWrite16(uint64_t address, uint16_t value) { *(volatile uint16_t *)address = value; }
INSTRUCTION void memoryWrite32(uint64_t address, uint32_t value) { *(volatile uint32_t *)address = value; }
INSTRUCTION void memoryWrite64(uint64_t address, uint64_t value) { *(volatile uint64_t *)address = value; }

/// Orders ring contents against the index that publishes them; needed on every memory type a device may share.
INSTRUCTION void memoryBarrier(void) { __asm__ volatile("mfence" : : : "memory"); }
/// Keeps the compiler from moving memory accesses; x86 itself keeps stores in order.
INSTRUCTION void compilerBarrier(void) { __asm__ volatile("" : : : "memory"); }

// MARK: Processor state

INSTRUCTION uint64_t readTimestamp(void) {
    uint32_t low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return (uint64_t)high << 32 | low;
}
INSTRUCTION uint64_t readRootTable(void) {
    uint64_t value;
    __asm__ volatile("mov %%cr3, %0" : "=r"(value));
    return value;
}
INSTRUCTION void writeRootTable(uint64_t value) { __asm__ volatile("mov %0, %%cr3" : : "r"(value) : "memory"); }
INSTRUCTION uint64_t readControl4(void) {
    uint64_t value;
    __asm__ volatile("mov %%cr4, %0" : "=r"(value));
    return value;
}
INSTRUCTION void writeControl4(uint64_t value) { __asm__ volatile("mov %0, %%cr4" : : "r"(value) : "memory"); }
INSTRUCTION void invalidatePage(uint64_t address) { __asm__ volatile("invlpg (%0)" : : "r"(address) : "memory"); }

INSTRUCTION uint64_t readModelRegister(uint32_t number) {
    uint32_t low, high;
    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(number));
    return (uint64_t)high << 32 | low;
}
INSTRUCTION void writeModelRegister(uint32_t number, uint64_t value) {
    __asm__ volatile("wrmsr" : : "c"(number), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)) : "memory");
}

typedef struct {
    uint32_t eax, ebx, ecx, edx;
} ProcessorIdentification;
INSTRUCTION ProcessorIdentification identifyProcessor(uint32_t leaf, uint32_t subleaf) {
    ProcessorIdentification result;
    __asm__ volatile("cpuid"
                     : "=a"(result.eax), "=b"(result.ebx), "=c"(result.ecx), "=d"(result.edx)
                     : "a"(leaf), "c"(subleaf));
    return result;
}

typedef struct __attribute__((packed)) {
    uint16_t limit;
    uint64_t base;
} DescriptorTableRegister;
INSTRUCTION void loadInterruptTable(uint64_t base, uint16_t limit) {
    DescriptorTableRegister value = {limit, base};
    __asm__ volatile("lidt %0" : : "m"(value) : "memory");
}
INSTRUCTION void loadTaskRegister(uint16_t selector) { __asm__ volatile("ltr %w0" : : "r"(selector) : "memory"); }

INSTRUCTION void enableInterrupts(void) { __asm__ volatile("sti" : : : "memory"); }
INSTRUCTION void disableInterrupts(void) { __asm__ volatile("cli" : : : "memory"); }
/// `sti` takes effect after the next instruction, so no interrupt slips in between and is slept over.
INSTRUCTION void haltOnce(void) { __asm__ volatile("sti\n\thlt\n\tcli" : : : "memory"); }
INSTRUCTION void undefinedInstruction(void) { __asm__ volatile("ud2" : : : "memory"); }
INSTRUCTION uint64_t stackPointer(void) {
    uint64_t value;
    __asm__ volatile("mov %%rsp, %0" : "=r"(value));
    return value;
}

// MARK: What the trap entry pushes (Boot/traps.asm)

/// The interrupted processor: lowest address first.
typedef struct {
    /// 1: a program was interrupted; 0: the nucleus.
    uint64_t context;
    /// CR2; the address that a page fault (vector 14) is about.
    uint64_t faultAddress;
    uint64_t r15, r14, r13, r12, r11, r10, r9, r8;
    uint64_t rdi, rsi, rbp, rbx, rdx, rcx, rax;
    uint64_t vector;
    uint64_t errorCode;
    uint64_t rip, cs, rflags, rsp, ss;
} TrapFrame;

// MARK: Symbols of Boot/

/// `nameAddress()` is where the symbol lies.
#define ADDRESS(name)                                                                                                \
    INSTRUCTION uint64_t name##Address(void) {                                                                       \
        extern uint8_t name[];                                                                                       \
        return (uint64_t)name;                                                                                       \
    }
#define STACK(name) ADDRESS(name##StackGuard) ADDRESS(name##StackBottom) ADDRESS(name##StackTop)

ADDRESS(imageStart)
ADDRESS(rodataStart)
ADDRESS(dataStart)
ADDRESS(imageEnd)
ADDRESS(descriptorTable)
ADDRESS(buildIdentifierBytes)
ADDRESS(trapStubs)
ADDRESS(commandLineBuffer)
STACK(main)
STACK(fault)
STACK(interrupt)
STACK(trap)
STACK(double)
STACK(landing)
STACK(program)

extern uint64_t machineContext, enterStackPointer, entryTimestamp, entryHPET;

/// 1 while a program runs, 0 while the nucleus does.
INSTRUCTION uint64_t currentContext(void) { return *(volatile uint64_t *)&machineContext; }
INSTRUCTION void setCurrentContext(uint64_t value) { *(volatile uint64_t *)&machineContext = value; }
/// True from `machineEnter` to its return, also while the nucleus handles a fault or an interrupt of the program.
INSTRUCTION bool programIsEntered(void) { return *(volatile uint64_t *)&enterStackPointer != 0; }
INSTRUCTION uint64_t timestampAtEntry(void) { return entryTimestamp; }
INSTRUCTION uint64_t hpetAtEntry(void) { return entryHPET; }

uint64_t machineEnter(void (*function)(uint64_t), uint64_t argument);
_Noreturn void machineAbort(uint64_t code);

// MARK: Hooks that Node implements

void nucleusMain(void);
void nucleusPageFault(uint64_t address, uint64_t errorCode, TrapFrame *frame);
void nucleusInterrupt(uint64_t vector);
void nucleusTrap(TrapFrame *frame);
void nucleusEpitaph(void);
