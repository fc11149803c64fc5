/// What a frame carries behind its header: a value that emits itself and is parsed back, or not at all.
///
/// `parse` trusts nothing: it is given a frame whose header is sound and returns nil for a payload of the wrong length
/// or with a field outside its range.
public protocol Message: Sendable {
    static var kind: FrameHeader.Kind { get }
    /// Bytes of the payload.
    var byteCount: Int { get }
    /// Writes the payload behind the header of `frame`, which has exactly room for it.
    func emit(into frame: inout MutableRawSpan)
    static func parse(_ frame: RawSpan) -> Self?
}

/// Where the payload lies in a frame.
public enum Payload {
    @inline(__always) public static func at(_ offset: Int) -> Int { Limits.headerBytes + offset }
    @inline(__always) public static func count(_ frame: RawSpan) -> Int { frame.byteCount - Limits.headerBytes }
}
