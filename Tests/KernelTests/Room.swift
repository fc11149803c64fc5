// Tests of the room Kernel.
