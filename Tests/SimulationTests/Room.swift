// Tests of the room Simulation.
