import Foundation
import Logging
import NIOCore
import NIOPosix

/// Answers requests on a Unix socket. Handlers run concurrently, one request of a connection after the other.
///
/// ```swift
/// let server = ControlServer(path: directory.segmentSocket, logger: logger)
/// server.on(SegmentStatus.self) { _ in status() }
/// try await server.run()
/// ```
public struct ControlServer: Sendable {
    private typealias Handler = @Sendable (Data) async throws -> Data

    private let path: String
    private let logger: Logger
    private var handlers: [String: Handler] = [:]

    /// - Parameter path: where the socket is bound. A socket file that a killed process left there is replaced, so the
    ///   caller must hold the lock that says nobody else serves it (`ProcessLock`).
    public init(path: String, logger: Logger) {
        self.path = path
        self.logger = logger
    }

    /// Says how to answer a request. A thrown `Failure` is sent as it is, any other error as a fault.
    public mutating func on<Request: ControlRequest>(
        _ type: Request.Type, _ body: @escaping @Sendable (Request) async throws -> Request.Reply
    ) {
        handlers[Request.operation] = { line in
            let request: Request
            do { request = try JSONDecoder().decode(Request.self, from: line) } catch {
                throw Failure(.usage, "the request \"\(Request.operation)\" is malformed: \(error)")
            }
            return try ControlLine.encode(reply: try await body(request))
        }
    }

    /// Serves until the task is cancelled.
    ///
    /// - Parameter ready: called once the socket accepts connections.
    public func run(ready: @Sendable () -> Void = {}) async throws {
        let server = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .bind(unixDomainSocketPath: path, cleanupExistingSocketFile: true) { channel in
                channel.eventLoop.makeCompletedFuture { try lines(on: channel) }
            }
        ready()
        try await withThrowingDiscardingTaskGroup { connections in
            try await server.executeThenClose { incoming in
                for try await connection in incoming {
                    connections.addTask { await serve(connection) }
                }
            }
        }
    }

    private func serve(_ connection: LineChannel) async {
        do {
            try await connection.executeThenClose { requests, answers in
                for try await request in requests {
                    guard try await isHeard(connection.channel) else { return }
                    var answer = ByteBuffer(bytes: try await reply(to: Data(request.readableBytesView)))
                    answer.writeInteger(UInt8(ascii: "\n"))
                    try await answers.write(answer)
                }
            }
        } catch {
            logger.debug("a control connection ended: \(error)")
        }
    }

    /// Whether anybody waits for an answer. Who asked while this process was stopped has been told that it does not
    /// answer, and has gone: nothing is done for him unawares. The end of a connection is read together with what came
    /// before it.
    private func isHeard(_ channel: any Channel) async throws -> Bool {
        try await channel.eventLoop.submit { channel.isActive }.get()
    }

    private func reply(to line: Data) async throws -> Data {
        do {
            let operation = try ControlLine.operation(of: line)
            guard let handler = handlers[operation] else {
                throw Failure(.usage, "unknown control request \"\(operation)\"")
            }
            return try await handler(line)
        } catch {
            return try ControlLine.encode(failure: Failure(error, while: "answering a control request"))
        }
    }
}
