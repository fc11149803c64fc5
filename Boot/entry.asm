; The way in: from the hypervisor's 32-bit handover to Swift's first function.
;
; A PVH loader (QEMU's qboot or SeaBIOS, Xen) finds the note below, loads the image at 1 MiB and jumps to
; `plurixEntry` in 32-bit protected mode, paging off, interrupts off, ebx = physical address of the start info.
; We note the time, map the first 4 GiB twice (identity and direct map) with 2 MiB pages that allow everything,
; switch to long mode and call `machineStart`. Machine then replaces these tables by strict ones (AddressSpace.swift).

section .note.Xen note alloc noexec nowrite align=4
        dd      4                               ; bytes of the owner's name
        dd      4                               ; bytes of the entry address
        dd      18                              ; XEN_ELFNOTE_PHYS32_ENTRY
        db      "Xen", 0
        dd      plurixEntry

; The build id: 16 bytes that Images/stamp-build-id fills with a hash of the linked image. The host reads the note
; from the file, the node reads the bytes at `buildIdentifierBytes`.
section .note.Plurix note alloc noexec nowrite align=4
        dd      7
        dd      16
        dd      1                               ; the only note type of this owner
        db      "Plurix", 0, 0                  ; seven bytes with the terminator, padded to eight
global buildIdentifierBytes
buildIdentifierBytes:
        times 16 db 0

extern mainStackTop, machineStart

SERIAL                  equ 0x3F8
HPET                    equ 0xFED00000
HPET_CONFIGURATION      equ HPET + 0x10
HPET_COUNTER            equ HPET + 0xF0
PRESENT_WRITABLE        equ 0x3
LARGE_PAGE              equ 0x80
DIRECT_MAP_SLOT         equ 64                  ; PML4 slot of 0x2000_0000_0000

section .text.entry progbits alloc exec nowrite align=16
bits 32
global plurixEntry
plurixEntry:
        cld
        mov     esp, mainStackTop
        rdtsc
        mov     [entryTimestamp], eax
        mov     [entryTimestamp + 4], edx

        ; Start the HPET's counter now, so that its time and the TSC's share one zero. A machine without an HPET
        ; reads as zeroes or ones here; Machine's Clock looks again and then uses the PIT.
        mov     eax, [HPET_CONFIGURATION]
        or      eax, 1
        mov     [HPET_CONFIGURATION], eax
        mov     eax, [HPET_COUNTER]
        mov     [entryHPET], eax
        mov     eax, [HPET_COUNTER + 4]
        mov     [entryHPET + 4], eax

        ; Four page directories: 2048 large pages.
        mov     edi, bootDirectories
        mov     eax, LARGE_PAGE | PRESENT_WRITABLE
        mov     ecx, 2048
.page:  mov     [edi], eax
        mov     dword [edi + 4], 0
        add     edi, 8
        add     eax, 0x200000
        loop    .page
        mov     eax, bootDirectories + PRESENT_WRITABLE
        mov     edi, bootPointers
        mov     ecx, 4
.directory:
        mov     [edi], eax
        add     edi, 8
        add     eax, 4096
        loop    .directory
        mov     dword [bootRoot], bootPointers + PRESENT_WRITABLE
        mov     dword [bootRoot + DIRECT_MAP_SLOT * 8], bootPointers + PRESENT_WRITABLE

        mov     eax, bootRoot
        mov     cr3, eax
        mov     eax, 1 << 5                     ; physical address extension; everything else comes later
        mov     cr4, eax
        mov     ecx, 0xC0000080                 ; EFER: long mode enable, no-execute enable
        rdmsr
        or      eax, (1 << 8) | (1 << 11)
        wrmsr
        ; Paging, write protection in ring 0 (else no shadow page is ever made), native x87 errors, protection;
        ; EM makes a stray floating-point or SSE instruction a #UD instead of silent corruption.
        mov     eax, (1 << 31) | (1 << 16) | (1 << 5) | (1 << 4) | (1 << 2) | 1
        mov     cr0, eax
        lgdt    [descriptorTableRegister]
        jmp     0x08:longMode

bits 64
default rel
longMode:
        mov     eax, 0x10
        mov     ss, eax
        xor     eax, eax
        mov     ds, eax
        mov     es, eax
        mov     fs, eax
        mov     gs, eax
        mov     edi, ebx                        ; the start info; ebx has survived since the loader set it
        mov     eax, 7
        xor     ecx, ecx
        cpuid
        test    ebx, 1 << 8
        jz      .tooOld
        xor     ebp, ebp                        ; the backtrace ends here
        call    machineStart
        ud2                                     ; machineStart does not return

        ; Compiled code needs BMI2 (Images/image.mk). Whoever has not even that hears it from here.
.tooOld:
        lea     rsi, [tooOldText]
        mov     ecx, tooOldText.end - tooOldText
.byte:  mov     dx, SERIAL + 5
.full:  in      al, dx
        test    al, 1 << 5                      ; room for a byte
        jz      .full
        mov     dx, SERIAL
        outsb
        loop    .byte
        mov     al, 0xFE
        out     0x64, al                        ; the keyboard controller resets the machine
.wait:  hlt
        jmp     .wait

section .rodata.entry progbits alloc noexec nowrite
tooOldText:
        db      10, 'EPITAPH reason="this processor has no BMI2: give the machine a later one, as <cpu mode='
        db      "'maximum'/>", '"', 10, 'EPITAPH END', 10
.end:

section .data
align 16
global descriptorTable, descriptorTableRegister
descriptorTable:                                ; null, 64-bit code, data, task state (filled in by Descriptors.swift)
        dq      0
        dq      0x00AF9B000000FFFF
        dq      0x00CF93000000FFFF
        dq      0, 0
descriptorTableRegister:
        dw      descriptorTableRegister - descriptorTable - 1
        dq      descriptorTable

global entryTimestamp, entryHPET
entryTimestamp: dq 0
entryHPET:      dq 0

section .bss.boot nobits alloc write align=4096
global commandLineBuffer
bootRoot:       resb 4096
bootPointers:   resb 4096
bootDirectories: resb 4 * 4096
commandLineBuffer: resb 4096
