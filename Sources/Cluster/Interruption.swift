import Foundation
import Synchronization

/// The wish of whoever runs the command that it ends: Ctrl-C, a closed terminal, `kill`. The first one is noted, so
/// that what was begun elsewhere can be ended in order; a second one ends the command at once.
public final class Interruption: Sendable {
    private let noted = Mutex<Int32?>(nil)
    // Safe: only `init` touches them; they are kept so that they live.
    nonisolated(unsafe) private let sources: [any DispatchSourceSignal]

    private static let signals = [SIGINT, SIGTERM, SIGHUP]
    /// What comes sooner behind the first signal belongs to it, seconds.
    private static let same = 0.3

    /// From now on the signals are noted instead of ending the command. Nor does it end because nobody reads what it
    /// says any more, as behind `| head`.
    public init() {
        signal(SIGPIPE, SIG_IGN)
        sources = Self.signals.map { number in
            // As the rule for such sources is: the signal must not act by itself.
            signal(number, SIG_IGN)
            return DispatchSource.makeSignalSource(signal: number)
        }
        for (source, number) in zip(sources, Self.signals) {
            source.setEventHandler { [weak self] in
                self?.noted.withLock { $0 = $0 ?? number }
                // Not before: timeout(1) sends its signal twice.
                DispatchQueue.global().asyncAfter(deadline: .now() + Self.same) {
                    for number in Self.signals { signal(number, SIG_DFL) }
                }
            }
            source.resume()
        }
    }

    /// Whether somebody wants the command to end.
    public var isNoted: Bool { noted.withLock { $0 != nil } }

    /// With which status the command ends if there was a signal: the one that a shell gives to such an end.
    public var status: Int32? { noted.withLock { $0 }.map { 128 + $0 } }

    /// Returns when somebody wants the command to end.
    ///
    /// - Throws: when the task is cancelled.
    public func wait() async throws(CancellationError) {
        while !isNoted {
            do { try await Task.sleep(for: .milliseconds(20)) } catch { throw CancellationError() }
        }
    }

    /// Does something when somebody wants the command to end, and ends it. The task is cancelled when there is no more
    /// reason for that.
    public func watch(_ body: @escaping @Sendable () async -> Void) -> Task<Void, Never> {
        Task {
            do throws(CancellationError) { try await wait() } catch { return }
            await body()
            obey()
        }
    }

    /// Ends the command if there was a signal.
    public func obey() {
        guard let status else { return }
        fflush(nil)
        _exit(status)
    }
}
