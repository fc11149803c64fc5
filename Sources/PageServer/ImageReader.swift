import Control
import Glibc
import Wire

/// Reads the image of an arbiter that has begun again, while that works already: page after page as they lie on the
/// disk, so that all of them are seen to be sound, or found not to be, soon after the begin.
struct ImageReader {
    /// Some of the pages, as they were read.
    struct Portion: Sendable {
        var pages: [(number: UInt32, bytes: [UInt8])] = []
        /// Of the last portion, and of those after it: those that cannot be read back as they were written.
        var lost: [(number: UInt32, loss: Loss)] = []
        /// None comes after these.
        var isLast = false
    }

    /// A page that cannot be read back.
    struct Loss: Sendable {
        /// Of the page.
        var version: GlobalTime
        var failure: Failure
    }

    private let pages: StoredPages
    private var next = 0
    /// Pages that could not be read once.
    private var doubtful: [UInt32] = []
    private var lost: [(number: UInt32, loss: Loss)] = []

    /// A quarter of a megabyte: as long as a disk takes for it, who wants a page at once waits.
    private static let portion = 64
    /// The longest rest, microseconds.
    private static let longestRest: UInt64 = 20_000
    /// How long is waited before what failed is tried again, microseconds: a disk or a process may be short of
    /// something for a while.
    private static let pauses: [UInt32] = [0, 100_000, 1_000_000, 3_000_000]
    /// How long is waited before what was lost is tried again, microseconds.
    private let patience: UInt32

    init(_ pages: StoredPages, patience: UInt32 = 10_000_000) {
        self.pages = pages
        self.patience = patience
    }

    /// Reads all of them. It rests as long as it works: a processor that the nodes need is half theirs meanwhile. After
    /// the last portion it goes on as long as pages are lost: a disk may be mended while it is in use.
    ///
    /// - Parameter body: Returns false when nobody wants more.
    mutating func run(_ body: (Portion) -> Bool) {
        while next < pages.count {
            let begin = Clock.now()
            guard body(read()) else { return }
            Self.rest(since: begin)
        }
        for (number, pause) in Self.pauses.enumerated() where !doubtful.isEmpty {
            usleep(pause)
            let tried = doubtful
            doubtful = []
            for first in stride(from: 0, to: tried.count, by: Self.portion) {
                let begin = Clock.now()
                let numbers = tried[first..<min(first + Self.portion, tried.count)]
                guard body(readAgain(numbers, isLastTry: number == Self.pauses.count - 1)) else { return }
                Self.rest(since: begin)
            }
        }
        guard body(Portion(lost: lost, isLast: true)) else { return }
        while !lost.isEmpty {
            usleep(patience)
            guard retry(body) else { return }
        }
    }

    /// Tries lost pages, those first that were not tried for longest, up to the first few of which none is found.
    private mutating func retry(_ body: (Portion) -> Bool) -> Bool {
        for _ in stride(from: 0, to: lost.count, by: Self.portion) {
            let begin = Clock.now()
            let tried = lost.prefix(Self.portion).map(\.number)
            lost.removeFirst(tried.count)
            let others = lost.count
            var portion = readAgain(tried[...], isLastTry: true)
            portion.lost = Array(lost[others...])
            guard body(portion) else { return false }
            if portion.pages.isEmpty { break }
            Self.rest(since: begin)
        }
        return true
    }

    private static func rest(since begin: UInt64) { usleep(UInt32(min((Clock.now() - begin) / 1000, longestRest))) }

    private mutating func read() -> Portion {
        let (found, end) = pages.readRun(from: next, most: Self.portion)
        next = end
        var portion = Portion()
        for (number, bytes) in found {
            if let bytes { portion.pages.append((number, bytes)) } else { doubtful.append(number) }
        }
        return portion
    }

    /// What was not where it was may have been moved, and then it is where the store says; or it is damaged.
    private mutating func readAgain(_ numbers: ArraySlice<UInt32>, isLastTry: Bool) -> Portion {
        var portion = Portion()
        for number in numbers {
            do throws(Failure) {
                if let bytes = try pages.bytes(of: number) { portion.pages.append((number, bytes)) }
            } catch where isLastTry || error.kind == .fault {
                lost.append((number, Loss(version: pages.version(of: number), failure: error)))
            } catch {
                doubtful.append(number)
            }
        }
        return portion
    }
}
