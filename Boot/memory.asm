; memcpy, memmove, memset, memcmp: called by compiled Swift, and the way pages are copied.
;
; Whole words: byte by byte a page costs TCG 4,119 instructions. memcpy copies runs of 64 bytes in straight code, which
; TCG does faster than `rep movsq`, though it counts more instructions (some 1,290 a page instead of 519); real
; processors are fast either way. All four may be interrupted by an abort: they touch nothing but the caller's memory.

bits 64
default rel
global memcpy, memmove, memset, memcmp, free
extern machineFree

section .text.memcpy progbits alloc exec nowrite align=16
memcpy:
        mov     rax, rdi
        mov     rcx, rdx
        shr     rcx, 6
        jz      .words
.block: mov     r8, [rsi]
        mov     r9, [rsi + 8]
        mov     r10, [rsi + 16]
        mov     r11, [rsi + 24]
        mov     [rdi], r8
        mov     [rdi + 8], r9
        mov     [rdi + 16], r10
        mov     [rdi + 24], r11
        mov     r8, [rsi + 32]
        mov     r9, [rsi + 40]
        mov     r10, [rsi + 48]
        mov     r11, [rsi + 56]
        mov     [rdi + 32], r8
        mov     [rdi + 40], r9
        mov     [rdi + 48], r10
        mov     [rdi + 56], r11
        add     rsi, 64
        add     rdi, 64
        dec     rcx
        jnz     .block
.words: mov     ecx, edx
        and     ecx, 63
        shr     ecx, 3
        rep movsq
        mov     ecx, edx
        and     ecx, 7
        rep movsb
        ret

section .text.memmove progbits alloc exec nowrite align=16
memmove:
        mov     rax, rdi
        sub     rax, rsi
        cmp     rax, rdx                        ; unsigned: true when the target begins inside the source
        jae     memcpy
        mov     rax, rdi
        lea     rdi, [rdi + rdx - 1]
        lea     rsi, [rsi + rdx - 1]
        std
        mov     ecx, edx
        and     ecx, 7
        rep movsb                               ; the odd bytes at the end
        sub     rdi, 7
        sub     rsi, 7
        mov     rcx, rdx
        shr     rcx, 3
        rep movsq
        cld
        ret

section .text.memset progbits alloc exec nowrite align=16
memset:
        mov     r8, rdi
        movzx   eax, sil
        mov     rcx, 0x0101010101010101
        imul    rax, rcx
        mov     rcx, rdx
        shr     rcx, 3
        rep stosq
        mov     ecx, edx
        and     ecx, 7
        rep stosb
        mov     rax, r8
        ret

section .text.memcmp progbits alloc exec nowrite align=16
memcmp:
        cmp     rdx, 8
        jb      .bytes
.words: mov     rax, [rdi]
        mov     rcx, [rsi]
        cmp     rax, rcx
        jne     .differ
        add     rdi, 8
        add     rsi, 8
        sub     rdx, 8
        cmp     rdx, 8
        jae     .words
.bytes: test    rdx, rdx
        jz      .equal
        movzx   eax, byte [rdi]
        movzx   ecx, byte [rsi]
        sub     eax, ecx
        jnz     .done
        inc     rdi
        inc     rsi
        dec     rdx
        jmp     .bytes
.differ:                                        ; first differing byte decides: compare as big-endian words
        bswap   rax
        bswap   rcx
        cmp     rax, rcx
        sbb     eax, eax                        ; below: -1
        or      eax, 1                          ; above: 1
.done:  ret
.equal: xor     eax, eax
        ret

; What compiled Swift calls to give memory back (Sources/Machine/Allocator.swift).
section .text.free progbits alloc exec nowrite align=16
free:   jmp     machineFree
