import Foundation

/// What a cluster is: its identity and the settings of `plurix up`. Written once, before its first process starts, and
/// read by all of them. Mode 0600, because the key is in it.
public struct ClusterDescription: Codable, Equatable, Sendable {
    public enum Nic: String, Codable, CaseIterable, Sendable {
        case virtio, rtl8139
    }

    public enum Accelerator: String, Codable, CaseIterable, Sendable {
        case tcg, kvm
    }

    public var name: String
    /// Drawn for each `plurix up`; every frame carries it.
    public var identifier: UInt64
    /// The key that authenticates frames: 16 bytes from the system's random source.
    public var key: ClusterKey
    public var nic: Nic
    /// Memory of each machine in MiB.
    public var memoryMebibytes: Int
    /// Size of the shared memory in MiB.
    public var sharedMebibytes: Int
    public var accelerator: Accelerator
    /// URI of the libvirt driver.
    public var connect: String
    /// Absolute path of the node image.
    public var image: String
    /// Largest Ethernet frame in bytes.
    public var maximumFrameBytes: Int
    /// Where the arbiter keeps what it saves.
    public var storage: Storage

    public init(
        name: String, identifier: UInt64, key: ClusterKey, nic: Nic, memoryMebibytes: Int, sharedMebibytes: Int,
        accelerator: Accelerator, connect: String, image: String, maximumFrameBytes: Int,
        storage: Storage
    ) {
        self.name = name
        self.identifier = identifier
        self.key = key
        self.nic = nic
        self.memoryMebibytes = memoryMebibytes
        self.sharedMebibytes = sharedMebibytes
        self.accelerator = accelerator
        self.connect = connect
        self.image = image
        self.maximumFrameBytes = maximumFrameBytes
        self.storage = storage
    }

    /// Pages of the shared memory.
    public var sharedPages: UInt32 { UInt32(sharedMebibytes) * 256 }

    /// - Throws: `.unavailable` when there is no such cluster.
    public static func load(_ directory: RunDirectory) throws(Failure) -> ClusterDescription {
        guard let data = FileManager.default.contents(atPath: directory.stateFile) else {
            throw Failure(
                .unavailable, "there is no cluster \"\(directory.name)\"",
                advice: "start it with \(directory.hint("up"))\(others(than: directory))")
        }
        do { return try read(data) } catch {
            throw Failure(
                .fault, "\(directory.stateFile) is damaged: \(error)",
                advice: "remove the cluster with \(directory.hint("down"))", at: directory.stateFile)
        }
    }

    /// The clusters that somebody who names one that is not there may have meant.
    private static func others(than directory: RunDirectory) -> String {
        let names = RunDirectory.names(base: directory.base)
        return names.isEmpty ? "" : ", or name one that there is with --name: \(names.joined(separator: ", "))"
    }

    /// The sizes of a cluster are numbers of pages and bytes, which must not overflow where they are computed.
    static func read(_ data: Data) throws -> ClusterDescription {
        let description = try JSONDecoder().decode(ClusterDescription.self, from: data)
        let sizes = [description.memoryMebibytes, description.sharedMebibytes, description.maximumFrameBytes]
        guard sizes.allSatisfy((1...Int(UInt16.max)).contains) else {
            throw Failure(.fault, "a size of memory or frame is impossible")
        }
        guard description.storage.isPossible else { throw Failure(.fault, "what it says of its store is impossible") }
        return description
    }

    /// Writes a description that is to take the place of the cluster's own.
    ///
    /// - Throws: as `RunDirectory.replace`.
    public func write(to path: String) throws(Failure) {
        try RunDirectory.replace(path, with: encoded(for: path))
    }

    /// Writes the description where no other cluster has one, all at once: who takes the cluster down meanwhile reads
    /// all of it, or takes the directory away before.
    ///
    /// - Throws: `.input` when the name is in use.
    public func create(in directory: RunDirectory) throws(Failure) {
        let path = directory.stateFile
        guard try !RunDirectory.make(path, with: encoded(for: path)) else { return }
        throw Failure(
            .input, "a cluster named \"\(name)\" exists",
            advice: "use another --name, or remove it with \(directory.hint("down"))")
    }

    private func encoded(for path: String) throws(Failure) -> Data {
        do { return try JSONEncoder().encode(self) } catch { throw Failure(error, while: "writing \(path)") }
    }
}

/// A cluster's key. Written as 32 hexadecimal digits.
public struct ClusterKey: Codable, Equatable, Sendable {
    /// 16 bytes.
    public let bytes: [UInt8]

    public static let byteCount = 16

    /// Nil when these are not 16 bytes.
    public init?(bytes: [UInt8]) {
        guard bytes.count == Self.byteCount else { return nil }
        self.bytes = bytes
    }

    /// A new key from the system's cryptographic random source.
    public static func random() -> ClusterKey {
        var generator = SystemRandomNumberGenerator()
        return ClusterKey((0..<byteCount).map { _ in UInt8.random(in: .min ... .max, using: &generator) })
    }

    /// Reads 32 hexadecimal digits or 16 raw bytes from a file.
    ///
    /// - Throws: `.input` when the file is neither.
    public static func load(_ path: String) throws(Failure) -> ClusterKey {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw Failure(.input, "cannot read the key file \(path)", at: path)
        }
        if let key = ClusterKey(bytes: [UInt8](data)) { return key }
        let text = String(decoding: data, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
        guard let key = ClusterKey(hexadecimal: text) else {
            throw Failure(.input, "\(path) is no key file: it must hold 16 bytes or 32 hexadecimal digits", at: path)
        }
        return key
    }

    /// Bytes 0…7 and 8…15 as little-endian integers.
    public var halves: (low: UInt64, high: UInt64) {
        func integer(_ bytes: ArraySlice<UInt8>) -> UInt64 { bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) } }
        return (integer(bytes[..<8]), integer(bytes[8...]))
    }

    private init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    public init?(hexadecimal text: String) {
        let digits = text.utf8.compactMap { Character(Unicode.Scalar($0)).hexDigitValue }
        guard digits.count == text.utf8.count, digits.count == 2 * Self.byteCount else { return nil }
        bytes = stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
    }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        guard let key = ClusterKey(hexadecimal: try container.decode(String.self)) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "a key has 32 hexadecimal digits")
        }
        self = key
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined())
    }
}
