// Tests of the room Devices.
