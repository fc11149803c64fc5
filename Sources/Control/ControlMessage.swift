import Foundation

/// A request on a control socket: one line of JSON, `{"op": operation, …fields}`.
///
/// The answer is one line too: `{"reply": …}` or `{"failure": {"kind": …, "message": …}}`.
public protocol ControlRequest: Codable, Sendable {
    associatedtype Reply: Codable, Sendable
    /// The value of the field `op`.
    static var operation: String { get }
}

/// The answer of requests that have nothing to say.
public struct Done: Codable, Equatable, Sendable {
    public init() {}
}

/// The lines of a control socket.
enum ControlLine {
    /// The longest line in bytes. The largest real one is the result of a word count of a text that fills the shared
    /// memory; a peer that sends more is cut off.
    static let maximumBytes = 64 << 20

    private enum Key: String, CodingKey { case op, reply, failure }

    private struct Outgoing<Request: ControlRequest>: Encodable {
        var request: Request

        func encode(to encoder: any Encoder) throws {
            try request.encode(to: encoder)
            var container = encoder.container(keyedBy: Key.self)
            try container.encode(Request.operation, forKey: .op)
        }
    }

    private struct Operation: Decodable {
        var op: String
    }

    private struct Answer<Reply: Codable>: Codable {
        var reply: Reply?
        var failure: Failure?
    }

    static func encode<Request: ControlRequest>(_ request: Request) throws -> Data {
        try JSONEncoder().encode(Outgoing(request: request))
    }

    static func operation(of line: Data) throws(Failure) -> String {
        do { return try JSONDecoder().decode(Operation.self, from: line).op } catch {
            throw Failure(.usage, "a control request needs a field \"op\": \(error)")
        }
    }

    static func encode<Reply: Codable>(reply: Reply) throws -> Data {
        try JSONEncoder().encode(Answer(reply: reply, failure: nil))
    }

    static func encode(failure: Failure) throws -> Data {
        try JSONEncoder().encode(Answer<Done>(reply: nil, failure: failure))
    }

    static func decodeAnswer<Reply: Codable>(_ type: Reply.Type, from line: Data) throws -> Reply {
        let answer = try JSONDecoder().decode(Answer<Reply>.self, from: line)
        if let failure = answer.failure { throw failure }
        guard let reply = answer.reply else { throw Failure(.fault, "a control reply has neither reply nor failure") }
        return reply
    }
}
