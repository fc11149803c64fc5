// Tests of the room Cluster.
