import Foundation
import Segment

@testable import Control

extension Target {
    /// The files and lines of JSON that processes leave for each other: the cluster's description, the segment's
    /// faults, requests on a control socket, and a key file.
    static let settings = Target("settings", longest: 2048) { bytes in
        let data = Data(bytes.dropFirst())
        switch (bytes.first ?? 0) % 5 {
        case 0: checkDescription(data)
        case 1: checkFaults(data)
        case 2: checkValue(data)
        case 3: checkRequest(data)
        default: checkKey(data)
        }
    }

    private static func checkSame<Value: Codable & Equatable>(_ type: Value.Type, _ data: Data) {
        guard let value = try? JSONDecoder().decode(type, from: data) else { return }
        guard let written = try? JSONEncoder().encode(value) else { broken("\(type) can be written") }
        let again = try? JSONDecoder().decode(type, from: written)
        require(again == value, "\(type) is read as it was written")
    }

    /// A number may be written as another kind of number (-0.0 as -0), but only once.
    private static func checkValue(_ data: Data) {
        guard let value = try? JSONDecoder().decode(JSONValue.self, from: data) else { return }
        guard let written = try? JSONEncoder().encode(value) else { broken("a value can be written") }
        guard let again = try? JSONDecoder().decode(JSONValue.self, from: written) else {
            broken("a value can be read")
        }
        guard let twice = try? JSONEncoder().encode(again) else { broken("a value can be written again") }
        require((try? JSONDecoder().decode(JSONValue.self, from: twice)) == again, "a value is read as it was written")
    }

    private static func checkDescription(_ data: Data) {
        guard let description = try? ClusterDescription.read(data) else { return }
        checkSame(ClusterDescription.self, data)
        require((1...UInt16.max).contains(UInt16(description.maximumFrameBytes)), "a frame has a possible size")
        require(Int(description.sharedPages) == description.sharedMebibytes * 256, "a memory has so many pages")
        _ = description.key.halves
    }

    private static func checkFaults(_ data: Data) {
        checkSame(SegmentFaults.self, data)
        guard let settings = try? JSONDecoder().decode(SegmentFaults.self, from: data) else { return }
        guard let faults = try? settings.validated() else { return }
        var segment = Faults(faults)
        let longest = 2 * SegmentFaults.maximumDelayMicroseconds
        for from in 1...3 as ClosedRange<UInt8> {
            guard case .after(let delay, let again) = segment.deliver(from: from, to: 2) else { continue }
            require(delay <= longest && again ?? 0 <= longest, "a frame is held back for a bounded time")
        }
    }

    private static func checkRequest(_ data: Data) {
        _ = try? ControlLine.operation(of: data)
        guard let faults = try? JSONDecoder().decode(SegmentSetFaults.self, from: data) else { return }
        guard let line = try? ControlLine.encode(faults) else { broken("a request can be written") }
        require((try? ControlLine.operation(of: line)) == SegmentSetFaults.operation, "a request names its operation")
    }

    private static func checkKey(_ data: Data) {
        guard let key = ClusterKey(hexadecimal: String(decoding: data, as: UTF8.self)) else { return }
        require(key.bytes.count == ClusterKey.byteCount, "a key has its bytes")
        require(ClusterKey(bytes: key.bytes) == key, "a key is its bytes")
    }
}
