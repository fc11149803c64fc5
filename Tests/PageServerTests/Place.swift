import Foundation
import Store
import Wire

@testable import PageServer

/// A directory for stores, as long as a test.
final class Place {
    let path = "/tmp/plurix-folder-test-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"

    init() throws {
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
    }

    /// - Parameter format: Of the system pages.
    func makeStore(_ name: String, pages: Int = 1024, format: UInt8 = 1) throws {
        var store = try Store.create(
            on: try StoreDirectory("\(path)/\(name)", for: .creating), cluster: 7, identity: 1,
            key: SipHash.Key(low: 2, high: 3), Geometry(pageCount: pages, reserveBytes: 4096))
        let page = [UInt8](repeating: 1, count: Limits.pageBytes)
        try store.put(1, version: GlobalTime(raw: 5), page.span.bytes)
        var root = [UInt8](repeating: 0, count: Limits.pageBytes)
        root.replaceSubrange(0..<9, with: Array("PLURIX\0\0".utf8) + [format])
        try store.put(0, version: GlobalTime(raw: 5), root.span.bytes)
        try store.commitCheckpoint(Checkpoint(time: GlobalTime(raw: 5), created: 0, isKept: true))
    }

    func touch(_ name: String) throws { try Data("x".utf8).write(to: URL(filePath: "\(path)/\(name)")) }

    func segments(_ name: String) throws -> [URL] {
        try FileManager.default.contentsOfDirectory(atPath: "\(path)/\(name)").filter { $0.hasPrefix("segment.") }
            .sorted().map { URL(filePath: "\(path)/\(name)/\($0)") }
    }

    var names: [String] { (try? FileManager.default.contentsOfDirectory(atPath: path))?.sorted() ?? [] }
}
