import Wire

/// What a page was at a version.
public struct PageVersion: Sendable {
    public var number: UInt32
    public var version: GlobalTime
    public var bytes: [UInt8]

    public init(number: UInt32, version: GlobalTime, bytes: [UInt8]) {
        self.number = number
        self.version = version
        self.bytes = bytes
    }
}
