import Foundation
import NIOCore
import NIOPosix

/// Sends requests to a `ControlServer`. Every request has a connection of its own, so a client needs no closing.
public struct ControlClient: Sendable {
    public let path: String
    private let silence: (@Sendable () -> Silence)?

    /// What is said of a server that is there and does not answer.
    public struct Silence: Sendable {
        /// Who it is.
        public var name: String
        public var advice: String
        /// It will not answer before somebody does something: nobody waits long for that.
        public var isStopped: Bool
        /// It will not be started again.
        public var isGone: Bool

        public init(name: String, advice: String, isStopped: Bool = false, isGone: Bool = false) {
            self.name = name
            self.advice = advice
            self.isStopped = isStopped
            self.isGone = isGone
        }
    }

    /// - Parameters:
    ///   - path: the server's Unix socket.
    ///   - silence: asked when no answer came in time, and now and then whether one can come; without it the socket is
    ///     named.
    public init(path: String, silence: (@Sendable () -> Silence)? = nil) {
        self.path = path
        self.silence = silence
    }

    /// Sends a request and waits for the answer.
    ///
    /// - Parameter limit: how long to wait.
    /// - Throws: the server's `Failure`; `.unavailable` when nobody serves the socket or the server died meanwhile;
    ///   `.timeout` after `limit`, and sooner when the server is seen to be stopped.
    public func send<Request: ControlRequest>(
        _ request: Request, limit: Duration = .seconds(30)
    ) async throws(Failure) -> Request.Reply {
        do {
            return try await withThrowingTaskGroup(of: Request.Reply.self) { group in
                group.addTask { try await exchange(request) }
                group.addTask {
                    try await Task.sleep(for: limit)
                    throw late(Request.operation, limit)
                }
                if let silence, limit > Self.stoppedLimit {
                    group.addTask { throw try await stopped(Request.operation, silence) }
                }
                defer { group.cancelAll() }
                guard let reply = try await group.next() else { throw CancellationError() }
                return reply
            }
        } catch where error is IOError || error is ChannelError {
            // A server that is killed resets the connection or closes it, as it happens.
            throw lost(Request.operation)
        } catch {
            throw Failure(error, while: "asking \(path) for \"\(Request.operation)\"")
        }
    }

    /// It was there and is gone.
    private func lost(_ operation: String) -> Failure {
        let silence = silence?()
        return Failure(
            .unavailable, "\(silence?.name ?? path) ended before it answered \"\(operation)\"", advice: silence?.advice,
            at: path)
    }

    /// Returns once a server is stopped for long; a debugger stops one for moments.
    private func stopped(_ operation: String, _ silence: @Sendable () -> Silence) async throws -> Failure {
        let begin = ContinuousClock.now
        var since = begin
        while true {
            try await Task.sleep(for: Self.lookInterval)
            let now = ContinuousClock.now
            if !silence().isStopped { since = now }
            if now - since >= Self.stoppedLimit { return late(operation, now - begin) }
        }
    }

    private static let stoppedLimit = Duration.seconds(3)
    private static let lookInterval = Duration.milliseconds(500)

    private func late(_ operation: String, _ limit: Duration) -> Failure {
        let silence = silence?()
        let tenths = Int((limit / .milliseconds(100)).rounded())
        let seconds = tenths % 10 == 0 ? "\(tenths / 10)" : "\(tenths / 10).\(tenths % 10)"
        return Failure(
            .timeout, "\(silence?.name ?? path) has not answered \"\(operation)\" within \(seconds) s",
            advice: silence?.advice, at: path)
    }

    /// Sends a request that may be sent twice, to a server that is started again when it was killed.
    ///
    /// - Parameter limit: how long an answer is waited for once the server is there.
    /// - Throws: as `send`; `.unavailable` only when the server stays away.
    public func sendPatiently<Request: ControlRequest>(
        _ request: Request, limit: Duration = .seconds(30)
    ) async throws(Failure) -> Request.Reply {
        let end = ContinuousClock.now + Self.restart
        while true {
            do throws(Failure) { return try await send(request, limit: limit) } catch {
                let isAway = error.kind == .unavailable && error.place == path
                guard isAway, silence?().isGone != true, ContinuousClock.now < end else { throw error }
            }
            do { try await Task.sleep(for: .milliseconds(20)) } catch {
                throw Failure(error, while: "waiting for \(path)")
            }
        }
    }

    /// The supervisor starts a killed process again within a tenth of this.
    private static let restart = Duration.seconds(5)

    private func exchange<Request: ControlRequest>(_ request: Request) async throws -> Request.Reply {
        let connection: LineChannel
        do {
            connection = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .connect(unixDomainSocketPath: path) { channel in
                    channel.eventLoop.makeCompletedFuture { try lines(on: channel) }
                }
        } catch {
            let silence = silence?()
            throw Failure(
                .unavailable, silence.map { "\($0.name) is not there" } ?? "nobody answers on \(path): \(error)",
                advice: silence?.advice, at: path)
        }
        return try await connection.executeThenClose { answers, requests in
            var line = ByteBuffer(bytes: try ControlLine.encode(request))
            line.writeInteger(UInt8(ascii: "\n"))
            try await requests.write(line)
            for try await answer in answers {
                return try ControlLine.decodeAnswer(Request.Reply.self, from: Data(answer.readableBytesView))
            }
            throw lost(Request.operation)
        }
    }
}
