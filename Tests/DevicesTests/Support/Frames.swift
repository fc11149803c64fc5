import Devices

/// A frame whose bytes tell its number and their own places.
func makeFrame(_ number: Int, _ byteCount: Int) -> [UInt8] {
    (0..<byteCount).map { UInt8(truncatingIfNeeded: number &* 31 &+ $0 &+ $0 >> 8) }
}

/// Lengths that visit short, standard and jumbo frames and every alignment.
func frameLength(_ number: Int) -> Int {
    switch number % 4 {
    case 0: 60 + number % 7
    case 1: 1514 - number % 5
    case 2: 4352 - number % 9
    default: 14 + number * 37 % 4339
    }
}

/// All of a span as an array.
func array(_ span: RawSpan) -> [UInt8] {
    (0..<span.byteCount).map { span.unsafeLoad(fromByteOffset: $0, as: UInt8.self) }
}

/// Sends a frame given as an array.
func send<Card: NetworkDevice & ~Copyable>(_ card: inout Card, _ frame: [UInt8]) -> Bool {
    card.transmit(frame.count) { span in
        for (index, byte) in frame.enumerated() { span.storeBytes(of: byte, toByteOffset: index, as: UInt8.self) }
    }
}

/// Receives until nothing waits.
func receiveAll<Card: NetworkDevice & ~Copyable>(_ card: inout Card) -> [[UInt8]] {
    var frames: [[UInt8]] = []
    while card.receive({ frames.append(array($0)) }) {}
    return frames
}
