import Store
import Wire

/// Everything that a store says, as a value: what can be compared.
public struct StorePicture: Equatable, Sendable {
    public struct State: Equatable, Sendable {
        public var checkpoint: Checkpoint
        /// Version and content of each page.
        public var pages: [Content]
    }

    public struct Content: Equatable, Sendable {
        public var version = GlobalTime.zero
        public var bytes: [UInt8]
    }

    /// Those that are set, of the numbers below `registerCount`.
    public var registers: [UInt64: [UInt8]] = [:]
    public var retention = Retention()
    public var states: [State] = []

    public static let registerCount: UInt64 = 32

    public init() {}
}

extension Store where Medium: ~Copyable {
    /// What it says, read page by page.
    public mutating func picture() throws(StoreError) -> StorePicture {
        var picture = StorePicture()
        picture.retention = retention
        for key in 0..<StorePicture.registerCount {
            let value = register(key)
            if !value.isEmpty { picture.registers[key] = value }
        }
        for checkpoint in checkpoints {
            var pages: [StorePicture.Content] = []
            for page in 0..<UInt32(geometry.pageCount) {
                let (version, bytes) = try content(of: page, at: checkpoint.time)
                pages.append(StorePicture.Content(version: version, bytes: bytes))
            }
            picture.states.append(StorePicture.State(checkpoint: checkpoint, pages: pages))
        }
        return picture
    }

    public mutating func content(
        of page: UInt32, at time: GlobalTime? = nil
    ) throws(StoreError) -> (version: GlobalTime, bytes: [UInt8]) {
        var bytes = [UInt8](repeating: 0xEE, count: geometry.pageBytes)
        var span = bytes.mutableSpan
        var raw = span.mutableBytes
        let version = try read(page, at: time, into: &raw)
        return (version, bytes)
    }
}
