; Trap and interrupt entry. Each vector has a stub that pushes what the processor did not; two common paths save
; registers and call Machine. All stacks come from the interrupt stack table, so a frame is always 16-byte aligned.
;
; `machineContext` is 1 while a program runs and 0 while the nucleus does. The entry saves it with the frame and
; clears it; the exit restores it. That is how Machine knows whom it interrupted.

bits 64
default rel
extern machineTrap, machineInterrupt
global trapStubs, machineContext

FIRST_INTERRUPT equ 32
VECTORS         equ 256

section .text.traps progbits alloc exec nowrite align=16

%assign vector 0
%rep VECTORS
stub_ %+ vector:
  %if vector < FIRST_INTERRUPT
    %if vector != 8 && (vector < 10 || vector > 14) && vector != 17 && vector != 21 && vector != 29 && vector != 30
        push    0                               ; this exception brings no error code
    %endif
        push    vector
        jmp     near trapCommon
  %else
        push    vector
        jmp     near interruptCommon
  %endif
  %assign vector vector + 1
%endrep

; The order of the pushes is `struct TrapFrame` (Instructions.h), last field first.
trapCommon:
        push    rax
        push    rcx
        push    rdx
        push    rbx
        push    rbp
        push    rsi
        push    rdi
        push    r8
        push    r9
        push    r10
        push    r11
        push    r12
        push    r13
        push    r14
        push    r15
        mov     rax, cr2
        push    rax
        push    qword [machineContext]
        mov     qword [machineContext], 0
        cld                                     ; memmove may have been caught copying backwards
        mov     rdi, rsp
        call    machineTrap
        pop     qword [machineContext]
        add     rsp, 8                          ; cr2
        pop     r15
        pop     r14
        pop     r13
        pop     r12
        pop     r11
        pop     r10
        pop     r9
        pop     r8
        pop     rdi
        pop     rsi
        pop     rbp
        pop     rbx
        pop     rdx
        pop     rcx
        pop     rax
        add     rsp, 16                         ; vector and error code
        iretq

; Interrupts need only what a call may clobber; an abort from in here restores the rest itself.
interruptCommon:
        push    rbp                             ; with rip above it: a link for the epitaph's backtrace
        mov     rbp, rsp
        push    rax
        push    rcx
        push    rdx
        push    rsi
        push    rdi
        push    r8
        push    r9
        push    r10
        push    r11
        push    qword [machineContext]
        mov     qword [machineContext], 0
        cld
        mov     rdi, [rbp + 8]                  ; the vector
        mov     rsi, [rsp]                      ; whom it hit
        call    machineInterrupt
        pop     qword [machineContext]
        pop     r11
        pop     r10
        pop     r9
        pop     r8
        pop     rdi
        pop     rsi
        pop     rdx
        pop     rcx
        pop     rax
        pop     rbp
        add     rsp, 8                          ; vector
        iretq

section .rodata
align 8
trapStubs:
%assign vector 0
%rep VECTORS
        dq      stub_ %+ vector
  %assign vector vector + 1
%endrep

section .data
align 8
machineContext: dq 0
