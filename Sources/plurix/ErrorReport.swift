import ArgumentParser
import Control

/// What a command that failed says with `--json`, on standard error.
struct ErrorReport: Encodable {
    var failure: Failure
    /// The cluster's name, for failures that are about nothing smaller.
    var cluster: String
    /// With which status the command ends, where the failure is not what ends it.
    var exitCode: Int32?

    private enum Key: String, CodingKey { case error, place = "where", advice, exitCode }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(failure.message, forKey: .error)
        try container.encode(failure.place ?? "cluster \(cluster)", forKey: .place)
        // Null where nothing can be done: every report has the same members.
        try container.encode(failure.advice, forKey: .advice)
        try container.encode(exitCode ?? failure.kind.rawValue, forKey: .exitCode)
    }
}

extension Plurix {
    /// Ends the command with an error that it threw.
    static func end(with error: any Error) -> Never {
        switch error {
        case let failure as Failure: end(with: failure)
        // Help that was asked for is a result.
        case _ where exitCode(for: error).isSuccess: exit(withError: error)
        case is ValidationError where !Terminal.wantsJSON: exit(withError: error)
        case is ValidationError: end(with: Failure(.usage, "\(error)", at: "command line"))
        default: end(with: Failure(error, while: "running the command"))
        }
    }

    /// Ends the command with an error in its arguments, or with the help that they ask for.
    static func end(withParserError error: any Error) -> Never {
        guard Terminal.wantsJSON, !exitCode(for: error).isSuccess else { exit(withError: error) }
        end(
            with: Failure(
                .usage, message(for: error), advice: "see plurix --help, or plurix COMMAND --help", at: "command line"))
    }

    /// Whatever fails because the cluster was taken away from the command, that is why.
    private static func end(with failure: Failure) -> Never {
        let failure = failure.kind == .usage ? failure : Terminal.attended?.takenDown ?? failure
        Terminal.complain(failure)
        Terminal.end(failure.kind.rawValue)
    }
}
