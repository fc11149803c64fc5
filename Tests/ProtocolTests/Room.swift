// Tests of the room Protocol.
