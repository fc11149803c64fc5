// Tests of the room Segment.
