import Control
import Foundation
import Store
import Wire

/// The file of a node image, as far as the arbiter must know it.
public enum NodeImage {
    /// The head of the note in which Boot/entry.asm keeps the build id: lengths of name and id, type 1, "Plurix".
    private static let noteHead: [UInt8] =
        [7, 0, 0, 0, 16, 0, 0, 0, 1, 0, 0, 0] + Array("Plurix".utf8) + [0, 0]

    /// The identity of the build, from the note in the image.
    ///
    /// - Throws: `.input` when the file cannot be read or is no node image.
    public static func buildIdentifier(of path: String) throws(Failure) -> BuildIdentifier {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw Failure(.input, "cannot read the node image \(path)", advice: "build it with make image", at: path)
        }
        guard data.starts(with: [0x7F, 0x45, 0x4C, 0x46]) else {
            throw Failure(
                .input, "\(path) is no node image: it is no ELF file", advice: "build one with make image", at: path)
        }
        guard let note = data.range(of: Data(noteHead)), data.count - note.upperBound >= 16 else {
            throw Failure(
                .input, "\(path) is no node image: it has no build id", advice: "build one with make image", at: path)
        }
        let identifier = [UInt8](data[note.upperBound..<note.upperBound + 16])
        return BuildIdentifier(
            low: identifier.span.bytes.load(UInt64.self, at: 0), high: identifier.span.bytes.load(UInt64.self, at: 8))
    }
}

extension BuildIdentifier {
    /// 32 hexadecimal digits in the order of the bytes, as the node prints it.
    var digits: String {
        [low, high].flatMap { half in
            (0..<8).map { place in
                let byte = UInt8(truncatingIfNeeded: half >> UInt64(8 * place))
                return (byte < 16 ? "0" : "") + String(byte, radix: 16)
            }
        }.joined()
    }
}

extension ArbiterSettings {
    /// The settings that belong to a cluster; the build is that of its node image.
    public init(_ cluster: ClusterDescription) throws(Failure) {
        let key = cluster.key.halves
        self.init(
            cluster: cluster.identifier, key: SipHash.Key(low: key.low, high: key.high),
            build: try NodeImage.buildIdentifier(of: cluster.image), sharedPages: cluster.sharedPages,
            maximumFrameBytes: cluster.maximumFrameBytes, store: StoreSettings(cluster.storage))
    }
}

extension StoreSettings {
    init(_ storage: ClusterDescription.Storage) {
        self.init(
            directory: storage.directory, isVolatile: storage.isVolatile,
            retention: Retention(count: storage.keepCount, age: storage.keepSeconds * 1_000_000),
            checkpointInterval: storage.checkpointSeconds * 1_000_000_000)
    }
}
