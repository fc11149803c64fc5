; Every stack of a node, each with an unmapped guard page below it (AddressSpace.swift leaves the guards out).
;
; main       boot, the event loop, everything between transactions
; fault      page faults of the program; the nucleus waits here for pages, so it runs the whole event loop
; interrupt  interrupts that hit the program; the event loop again
; trap       all other exceptions
; double     double fault and NMI: nothing else can be trusted then
; landing    interrupts that hit the nucleus in its one open moment, `waitForInterrupt`
; program    transaction bodies

; A program's frames may be large, so its guard is 64 KiB: one frame cannot jump over it unseen.

%macro stack 2-3 4                              ; name, KiB, KiB of guard
global %1StackGuard, %1StackBottom, %1StackTop
%1StackGuard:   resb %3 * 1024
%1StackBottom:  resb %2 * 1024
%1StackTop:
%endmacro

section .stacks nobits alloc write align=4096
        stack   main, 128
        stack   fault, 128
        stack   interrupt, 128
        stack   trap, 64
        stack   double, 32
        stack   landing, 8
        stack   program, 256, 64
