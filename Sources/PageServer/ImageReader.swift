import Control
import Glibc
import Wire

/// Reads the image of an arbiter that has begun again, while that works already: page after page as they lie on the
/// disk, so that all of them are seen to be sound, or found not to be, soon after the begin.
struct ImageReader {
    /// Some of the pages, as they were read.
    struct Portion: Sendable {
        var pages: [(number: UInt32, bytes: [UInt8])] = []
        /// Those that cannot be read back as they were written, and why.
        var failures: [(number: UInt32, failure: Failure)] = []
        /// None comes after these.
        var isLast = false
    }

    private let pages: StoredPages
    private var next = 0

    /// A quarter of a megabyte: some hundred microseconds of a disk's time, and of the arbiter's, who else takes them.
    private static let portion = 64
    /// The longest rest, microseconds.
    private static let longestRest: UInt64 = 20_000

    init(_ pages: StoredPages) { self.pages = pages }

    /// Reads all of them. It rests as long as it works: a processor that the nodes need is half theirs meanwhile.
    ///
    /// - Parameter body: Returns false when nobody wants more.
    mutating func run(_ body: (Portion) -> Bool) {
        repeat {
            let begin = Clock.now()
            guard body(read()) else { return }
            usleep(UInt32(min((Clock.now() - begin) / 1000, Self.longestRest)))
        } while next < pages.count
    }

    private mutating func read() -> Portion {
        guard next < pages.count else { return Portion(isLast: true) }
        let (found, end) = pages.readRun(from: next, most: Self.portion)
        next = end
        var portion = Portion(isLast: end == pages.count)
        for (number, bytes) in found {
            var bytes = bytes
            do throws(Failure) { if bytes == nil { bytes = try pages.bytes(of: number) } } catch {
                portion.failures.append((number, error))
            }
            if let bytes { portion.pages.append((number, bytes)) }
        }
        return portion
    }
}
