import Wire

extension Target {
    /// The frame parser: any bytes as a frame, and any payload behind a sound header.
    static let frames = Target("frames", longest: Limits.maximumFrameBytes) { bytes in
        checkHeader(bytes)
        var input = Input(bytes)
        let kind = FrameHeader.Kind.allCases[input.below(FrameHeader.Kind.allCases.count)]
        FrameForge.checkPayload(frame(kind, payload: input.take(Limits.maximumFrameBytes - Limits.headerBytes)))
    }

    static let key = SipHash.Key(low: 0x0706_0504_0302_0100, high: 0x0F0E_0D0C_0B0A_0908)
    static let frameKey = FrameKey(key)

    /// What is read as a header is written back the same, and its tag is one that only the same bytes have.
    private static func checkHeader(_ bytes: [UInt8]) {
        guard let header = try? FrameHeader.parse(bytes.span.bytes) else { return }
        var frame = bytes
        frame.write { header.emit(into: &$0, key: frameKey) }
        let again = try? FrameHeader.parse(frame.span.bytes)
        require(again == header, "a header is read as it was written")
        require(FrameHeader.isAuthentic(frame.span.bytes, key: frameKey), "a frame carries its own tag")
        let place = 16 + Int(bytes[0]) % (frame.count - 16)
        frame[place] ^= 1 << (bytes[1] & 7)
        require(!FrameHeader.isAuthentic(frame.span.bytes, key: frameKey), "a changed frame has another tag")
    }

    private static func frame(_ kind: FrameHeader.Kind, payload: [UInt8]) -> [UInt8] {
        let header = FrameHeader(
            kind: kind, sender: Station(2), target: Station(1), payloadBytes: payload.count, epoch: 1, incarnation: 1,
            cluster: 1, sequence: 1, applied: GlobalTime(raw: 1))
        var frame = [UInt8](repeating: 0, count: Limits.headerBytes) + payload
        frame.write { header.emit(into: &$0, key: frameKey) }
        return frame
    }
}

extension [UInt8] {
    /// Lends the bytes for writing.
    mutating func write(_ body: (inout MutableRawSpan) -> Void) {
        var elements = mutableSpan
        var bytes = elements.mutableBytes
        body(&bytes)
    }
}
