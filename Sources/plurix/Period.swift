import ArgumentParser
import Control

/// A length of time in whole seconds, as "30s", "5m", "1h" or "2d".
struct Period: Equatable {
    var seconds: UInt64

    private static let units: [(Character, UInt64)] = [("s", 1), ("m", 60), ("h", 3600), ("d", 86_400)]

    /// - Throws: what an option takes.
    init(option argument: String) throws {
        guard let period = Period(argument: argument) else {
            if Self.isWritten(argument) {
                throw ValidationError("it must be at most \(ClusterDescription.Storage.maximumSeconds / 86_400)d")
            }
            throw ValidationError("it must be a whole number with s, m, h or d behind it, as 30s, 5m, 1h or 2d")
        }
        self = period
    }

    /// Whether a text is a number with a unit, however large.
    private static func isWritten(_ argument: String) -> Bool {
        let digits = argument.utf8.dropLast()
        return !digits.isEmpty && digits.allSatisfy { (48...57).contains($0) }
            && units.contains { $0.0 == argument.last }
    }

    init?(argument: String) {
        guard let unit = Self.units.first(where: { $0.0 == argument.last }), let count = UInt64(argument.dropLast()),
            argument.first != "+"
        else { return nil }
        let (seconds, isTooLong) = count.multipliedReportingOverflow(by: unit.1)
        guard !isTooLong, seconds <= ClusterDescription.Storage.maximumSeconds else { return nil }
        self.seconds = seconds
    }
}
