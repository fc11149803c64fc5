/// What every host room throws: what is wrong, what it is about, what to do, and the kind of fault, which is the exit
/// code of the command that met it. It crosses control sockets as it is.
public struct Failure: Error, Codable, Equatable, Sendable, CustomStringConvertible {
    /// Kinds of fault; the numbers are those of BSD's `sysexits.h`.
    public enum Kind: Int32, Codable, CaseIterable, Sendable {
        /// A command or an option value that does not exist.
        case usage = 64
        /// Input that cannot be used: an unknown program, an unreadable file, a cluster name in use.
        case input = 65
        /// Something needed is missing or has died: a tool, a node, a background process.
        case unavailable = 69
        /// A fault of Plurix itself.
        case fault = 70
        /// Something did not happen in time.
        case timeout = 75
    }

    public var kind: Kind
    /// What is wrong.
    public var message: String
    /// What to do, where something can be done.
    public var advice: String?
    /// What it is about: a file, a node, a process.
    public var place: String?

    public init(_ kind: Kind, _ message: String, advice: String? = nil, at place: String? = nil) {
        self.kind = kind
        self.message = message
        self.advice = advice
        self.place = place
    }

    /// For a reader: one sentence, or more lines where the message has more.
    public var description: String {
        advice.map { message + (message.contains("\n") ? "\n" : "; ") + $0 } ?? message
    }

    /// Any error as a failure: failures stay what they are, everything else is a fault met while doing `action`.
    public init(_ error: any Error, while action: String) {
        if let failure = error as? Failure { self = failure } else { self.init(.fault, "\(action): \(error)") }
    }
}
