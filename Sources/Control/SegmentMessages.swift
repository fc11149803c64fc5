// What the segment's process answers on its control socket.

/// Faults that the segment injects. It is also the segment's state file, so that a restarted segment goes on with the
/// same faults.
public struct SegmentFaults: Codable, Equatable, Sendable {
    /// Frames lost, in percent of deliveries.
    public var lossPercent: Double = 0
    /// Deliveries made twice, in percent.
    public var duplicationPercent: Double = 0
    /// How long each delivery is held back.
    public var delayMicroseconds: UInt64 = 0
    /// A random share of this is added to each delay, which reorders frames.
    public var jitterMicroseconds: UInt64 = 0
    /// Pairs of stations that do not reach each other, or of which one does not reach the other.
    public var cuts: [Cut] = []
    /// Seed of the faults' generator.
    public var seed: UInt64 = 1

    /// Two stations that do not reach each other, or only the second the first.
    public struct Cut: Codable, Equatable, Hashable, Sendable {
        public var first: UInt8
        public var second: UInt8
        /// Only frames of the first to the second are lost.
        public var isOneWay: Bool

        public init(_ first: UInt8, _ second: UInt8) {
            self.first = min(first, second)
            self.second = max(first, second)
            isOneWay = false
        }

        public init(from first: UInt8, to second: UInt8) {
            self.first = first
            self.second = second
            isOneWay = true
        }

        /// A state file of an earlier build has none that are one-way.
        public init(from decoder: any Decoder) throws {
            let values = try decoder.container(keyedBy: CodingKeys.self)
            first = try values.decode(UInt8.self, forKey: .first)
            second = try values.decode(UInt8.self, forKey: .second)
            isOneWay = try values.decodeIfPresent(Bool.self, forKey: .isOneWay) ?? false
        }
    }

    public init() {}
}

/// Counters of one port of the segment, since the segment's process began.
public struct PortReport: Codable, Equatable, Sendable {
    /// Number of the station behind the port.
    public var station: UInt8
    public var framesIn: UInt64 = 0
    public var bytesIn: UInt64 = 0
    public var framesOut: UInt64 = 0
    public var bytesOut: UInt64 = 0
    /// Frames dropped because no Ethernet frame has such a length or no station such an address.
    public var malformed: UInt64 = 0
    /// Frames to this station that fault injection dropped.
    public var lost: UInt64 = 0
    /// Frames to this station dropped because it did not read for too long.
    public var overflowed: UInt64 = 0
    /// Frames to this station dropped because nobody had bound its socket.
    public var unreachable: UInt64 = 0

    public init(station: UInt8) {
        self.station = station
    }
}

/// Faults, counters and capture of the segment.
public struct SegmentStatus: ControlRequest {
    public static let operation = "status"

    public struct Reply: Codable, Sendable {
        public var faults: SegmentFaults
        public var ports: [PortReport]
        /// The capture file that is being written.
        public var capture: String?
        /// Why the last capture ended before somebody ended it, and how many frames its file holds: said until it is
        /// ended, or the next one begins, which says it once more.
        public var captureEnding: String?

        public init(
            faults: SegmentFaults, ports: [PortReport], capture: String?, captureEnding: String? = nil
        ) {
            self.faults = faults
            self.ports = ports
            self.capture = capture
            self.captureEnding = captureEnding
        }
    }

    public init() {}
}

/// Makes sure that a station has a port.
public struct SegmentAttach: ControlRequest {
    public static let operation = "attach"
    public typealias Reply = Done

    public var station: UInt8

    public init(station: UInt8) {
        self.station = station
    }
}

/// Takes a station's port away.
public struct SegmentDetach: ControlRequest {
    public static let operation = "detach"
    public typealias Reply = Done

    public var station: UInt8

    public init(station: UInt8) {
        self.station = station
    }
}

/// Replaces the faults. Changing only some of them is the caller's work: read, change, send.
public struct SegmentSetFaults: ControlRequest {
    public static let operation = "faults"
    public typealias Reply = Done

    public var faults: SegmentFaults

    public init(faults: SegmentFaults) {
        self.faults = faults
    }
}

/// Starts a capture into a new file, unless one runs, or ends the running one. The end of one that had ended by itself
/// is a failure, which says why, and how many frames its file holds.
public struct SegmentCapture: ControlRequest {
    public static let operation = "capture"

    public struct Reply: Codable, Sendable {
        /// Frames that the capture that ended holds.
        public var frames: UInt64?
        /// Of a capture that starts: why the one before it had ended by itself, where nobody had been told.
        public var captureEnding: String?

        public init(frames: UInt64?, captureEnding: String? = nil) {
            self.frames = frames
            self.captureEnding = captureEnding
        }
    }

    /// Absolute path of a file to write, nil to end the capture.
    public var file: String?

    public init(file: String?) {
        self.file = file
    }
}
