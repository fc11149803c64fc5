import Control
import Glibc
import Wire

/// Reads the image of an arbiter that has begun again, while that works already: page after page as they lie on the
/// disk, so that all of them are seen to be sound, or found not to be, soon after the begin.
struct ImageReader {
    /// Some of the pages, as they were read.
    struct Portion: Sendable {
        var pages: [(number: UInt32, bytes: [UInt8])] = []
        /// Of the last portion: those that cannot be read back as they were written, and why the first cannot.
        var lost: [UInt32] = []
        var failure: Failure?
        /// None comes after these.
        var isLast = false
    }

    private let pages: StoredPages
    private var next = 0
    /// Pages that could not be read once.
    private var doubtful: [UInt32] = []

    /// A quarter of a megabyte: as long as a disk takes for it, who wants a page at once waits.
    private static let portion = 64
    /// The longest rest, microseconds.
    private static let longestRest: UInt64 = 20_000

    init(_ pages: StoredPages) { self.pages = pages }

    /// Reads all of them. It rests as long as it works: a processor that the nodes need is half theirs meanwhile.
    ///
    /// - Parameter body: Returns false when nobody wants more.
    mutating func run(_ body: (Portion) -> Bool) {
        while next < pages.count {
            let begin = Clock.now()
            guard body(read()) else { return }
            usleep(UInt32(min((Clock.now() - begin) / 1000, Self.longestRest)))
        }
        _ = body(readDoubtful())
    }

    private mutating func read() -> Portion {
        let (found, end) = pages.readRun(from: next, most: Self.portion)
        next = end
        var portion = Portion()
        for (number, bytes) in found {
            if let bytes { portion.pages.append((number, bytes)) } else { doubtful.append(number) }
        }
        return portion
    }

    /// What was not where it was may have been moved, and a disk or a process may have been short of something for a
    /// moment.
    private func readDoubtful() -> Portion {
        var portion = Portion(isLast: true)
        for number in doubtful {
            do throws(Failure) {
                if let bytes = try pages.bytes(of: number) { portion.pages.append((number, bytes)) }
            } catch {
                portion.lost.append(number)
                portion.failure = portion.failure ?? error
            }
        }
        return portion
    }
}
