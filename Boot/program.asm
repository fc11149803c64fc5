; The program context: enter it, leave it, and abort it from wherever the nucleus happens to be.
;
; There is one context, because a node runs one transaction at a time. `enter` remembers where it was called;
; both ends, return and abort, go back there. No setjmp that returns twice: an abort is simply the other way
; of returning from `enter`, so the compiler sees nothing but a function call.

bits 64
default rel
extern machineContext, programStackTop
global machineEnter, machineAbort, enterStackPointer

section .text.program progbits alloc exec nowrite align=16

; uint64_t machineEnter(void (*function)(uint64_t), uint64_t argument)
; Called by the nucleus with IF=0. Returns 0 when the function returned, else the code given to machineAbort.
machineEnter:
        push    rbp
        mov     rbp, rsp
        push    rbx
        push    r12
        push    r13
        push    r14
        push    r15
        pushfq
        mov     [enterStackPointer], rsp
        lea     rsp, [programStackTop]
        mov     rax, rdi
        mov     rdi, rsi
        xor     ebp, ebp                        ; backtraces of the program end here
        mov     qword [machineContext], 1
        sti
        call    rax
        cli
        xor     edi, edi

; void machineAbort(uint64_t code): any stack, any depth, any handler; interrupts were acknowledged before.
machineAbort:
        cli
        mov     rax, rdi
        mov     qword [machineContext], 0
        mov     rsp, [enterStackPointer]
        mov     qword [enterStackPointer], 0
        popfq
        pop     r15
        pop     r14
        pop     r13
        pop     r12
        pop     rbx
        pop     rbp
        ret

section .data
align 8
enterStackPointer: dq 0                         ; 0: no program is entered
