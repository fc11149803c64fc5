// Tests of the room Heap.
