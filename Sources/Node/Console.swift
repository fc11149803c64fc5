import Machine
import Protocol
import Wire

/// What a person reads on the serial console: the few events that change a node's life.
enum Console {
    static func announce(_ event: ProtocolEvent) {
        switch event {
        case .joined(let incarnation, let applied):
            line("JOINED incarnation=", UInt64(incarnation), " time=", applied.counter)
        case .refused(.build):
            Machine.write(serial: "REFUSED the cluster runs another build of the node image: ")
            Machine.write(serial: "start this node with the cluster's image\n")
        case .refused(.full):
            Machine.write(serial: "REFUSED the cluster has no place for another node\n")
        case .refused(.removed):
            Machine.write(serial: "REFUSED this node was removed from the cluster\n")
        case .keyMismatch:
            Machine.write(serial: "KEY frames of this segment fail authentication: ")
            Machine.write(serial: "this node has another cluster's key\n")
        case .epochOpened(let epoch, let at):
            line("EPOCH number=", UInt64(epoch), " time=", at.counter)
        case .rejoining:
            Machine.write(serial: "REJOIN too far behind to catch up\n")
        case .committed, .applied, .doomed, .tokenGranted, .tokenTaken, .frozen, .asked, .installed: break
        }
    }

    static func line(_ name: StaticString, _ first: UInt64, _ second: StaticString, _ value: UInt64) {
        Machine.write(serial: name)
        Machine.write(serialDecimal: first)
        Machine.write(serial: second)
        Machine.write(serialDecimal: value)
        Machine.write(serial: "\n")
    }
}
