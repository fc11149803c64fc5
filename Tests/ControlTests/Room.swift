// Tests of the room Control.
