import Control
import Foundation
import Logging
import Store
import Wire

@testable import PageServer

/// A store with a memory of which pages can be damaged.
final class SavedMemory {
    let place: Place
    let path: String
    /// Pages of commit 6, more than are read at a time; behind them is a page of the system's.
    static let heap = 100..<300 as Range<UInt32>
    /// Pages of commit 7.
    static let later = 400..<1000 as Range<UInt32>

    init() throws {
        place = try Place()
        path = place.path + "/s"
        // An opening reads the last segments record by record: what counts is in earlier ones, which list their pages.
        let geometry = Geometry(pageCount: 1024, segmentBytes: 1 << 20, reserveBytes: 4096)
        var store = try Store.create(
            on: StoreDirectory(path, for: .creating), cluster: 7, identity: 1, key: SipHash.Key(low: 2, high: 3),
            geometry)
        try Self.save([1] + Self.heap, GlobalTime(raw: 6), isKept: false, &store)
        try Self.save(Self.later, GlobalTime(raw: 7), isKept: false, &store)
        try store.settle()
    }

    private static func save(
        _ pages: some Sequence<UInt32>, _ time: GlobalTime, isKept: Bool, _ store: inout Store<StoreDirectory>
    ) throws {
        for page in pages { try store.put(page, version: time, bytes(page).span.bytes) }
        try store.commitCheckpoint(Checkpoint(time: time, created: 0, isKept: isKept))
    }

    /// Saves the later pages again, as a checkpoint that is kept.
    func saveAgain(at time: GlobalTime) throws {
        var store = try Store.open(StoreDirectory(path, for: .writing))
        try Self.save(Self.later, time, isKept: true, &store)
        try store.settle()
    }

    static func bytes(_ page: UInt32) -> [UInt8] {
        (0..<Limits.pageBytes).map { UInt8(truncatingIfNeeded: $0 % 4 == 0 ? Int(page) : Int(page) >> 8) }
    }

    func keeper(keeping count: Int = 10) throws -> StoreKeeper {
        let settings = StoreSettings(directory: path, retention: Retention(count: count, age: 0))
        return try StoreKeeper(settings, cluster: 7, sharedPages: 1024, logger: Self.quiet)
    }

    static var quiet: Logger { Logger(label: "quiet") { _ in SwiftLogNoOpLogHandler() } }

    /// Another bit in the middle of a page, wherever its newest version lies.
    ///
    /// - Returns: Mends it.
    @discardableResult
    func damage(_ page: UInt32) throws -> @Sendable () throws -> Void {
        for segment in try place.segments("s").reversed() {
            let old = try Data(contentsOf: segment)
            guard let found = old.range(of: Data(Self.bytes(page))) else { continue }
            var new = old
            new[found.lowerBound + 2000] ^= 1
            try new.write(to: segment)
            return { try old.write(to: segment) }
        }
        throw Failure(.fault, "page \(page) is not in the store")
    }

    /// Reads all that is late, and returns it in the order in which it was read.
    ///
    /// - Parameter body: Gets each portion before the next one is read.
    func readBehind(
        _ keeper: StoreKeeper, _ body: @escaping @Sendable (ImageReader.Portion) -> Void = { _ in }
    ) async -> [ImageReader.Portion] {
        let (portions, told) = AsyncStream.makeStream(of: ImageReader.Portion.self)
        keeper.readBehind { portion in
            body(portion)
            told.yield(portion)
            if portion.isLast { told.finish() }
            return true
        }
        return await portions.reduce(into: []) { $0.append($1) }
    }
}
