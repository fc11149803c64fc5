import Testing
import Wire

@testable import Protocol

/// What an endpoint lets in, and what it counts.
struct EndpointTests {
    private static let key = SipHash.Key(low: 1, high: 2)

    /// A sender's frames in order.
    private struct Sender {
        var endpoint: Endpoint

        init(_ station: Station, incarnation: UInt32, cluster: UInt64 = 7, key: SipHash.Key = EndpointTests.key) {
            endpoint = Endpoint(cluster: cluster, key: key, station: station, incarnation: incarnation)
        }

        mutating func frame(to target: Station = .everyone) -> [UInt8] {
            let message = StrictRead(nonce: 5)
            let header = endpoint.nextHeader(.strictRead, to: target, payloadBytes: message.byteCount, epoch: 1,
                                             applied: .zero)
            var frame = [UInt8](repeating: 0, count: Limits.headerBytes + message.byteCount)
            var span = frame.mutableSpan
            var raw = span.mutableBytes
            message.emit(into: &raw)
            header.emit(into: &raw, key: endpoint.key)
            return frame
        }
    }

    private func admits(_ endpoint: inout Endpoint, _ frame: [UInt8]) -> Bool {
        endpoint.admit(frame.span.bytes) != nil
    }

    private let receiver = Endpoint(cluster: 7, key: EndpointTests.key, station: Station(1), incarnation: 1)

    @Test func eachFrameOnce() {
        var receiver = receiver
        var sender = Sender(Station(2), incarnation: 3)
        let frames = (0..<200).map { _ in sender.frame() }
        // In any order within the window, and none twice.
        for start in stride(from: 0, to: 200, by: 50) {
            for index in (start ..< start + 50).reversed() {
                let isAdmitted = admits(&receiver, frames[index])
                #expect(isAdmitted, "frame \(index)")
            }
        }
        for frame in frames {
            let isAdmitted = admits(&receiver, frame)
            #expect(!isAdmitted)
        }
        #expect(receiver.received == 200 && receiver.rejected == 200)
    }

    @Test func tooOldIsRefused() {
        var receiver = receiver
        var sender = Sender(Station(2), incarnation: 3)
        let first = sender.frame()
        for _ in 0..<63 { _ = admits(&receiver, sender.frame()) }
        let second = sender.frame()
        let isAdmitted = admits(&receiver, second)
        let isOldAdmitted = admits(&receiver, first)
        #expect(isAdmitted && !isOldAdmitted)
    }

    // [P15] A new incarnation ends the old one, whatever of it is still on its way.
    @Test func aNewIncarnationEndsTheOld() {
        var receiver = receiver
        var old = Sender(Station(2), incarnation: 3)
        var new = Sender(Station(2), incarnation: 4)
        let results = [
            admits(&receiver, old.frame()), admits(&receiver, new.frame()), admits(&receiver, old.frame()),
            admits(&receiver, new.frame()),
        ]
        #expect(results == [true, true, false, true])
        let late = old.frame()
        #expect(receiver.retired(late.span.bytes)?.incarnation == 3)
        receiver.retire(Station(2), below: 9)
        let isAdmitted = admits(&receiver, new.frame())
        #expect(!isAdmitted && receiver.incarnation(of: Station(2)) == 9)
    }

    @Test func strangersAndForgeriesAreCounted() {
        var receiver = receiver
        var otherCluster = Sender(Station(2), incarnation: 3, cluster: 8)
        var otherKey = Sender(Station(2), incarnation: 3, key: SipHash.Key(low: 9, high: 9))
        var otherTarget = Sender(Station(2), incarnation: 3)
        var itself = Sender(Station(1), incarnation: 3)
        var unknown = Sender(Station(0xE0), incarnation: 3)
        let results = [
            admits(&receiver, otherCluster.frame()), admits(&receiver, otherKey.frame()),
            admits(&receiver, otherTarget.frame(to: Station(5))), admits(&receiver, itself.frame()),
            admits(&receiver, unknown.frame()), admits(&receiver, []),
        ]
        #expect(results == [false, false, false, false, false, false])
        #expect(receiver.rejected == 6 && receiver.unauthentic == 1 && receiver.received == 0)
        // A forgery does not move the window.
        var real = Sender(Station(2), incarnation: 3)
        let isAdmitted = admits(&receiver, real.frame())
        #expect(isAdmitted)
    }
}
