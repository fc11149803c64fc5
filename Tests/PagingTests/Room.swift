// Tests of the room Paging.
