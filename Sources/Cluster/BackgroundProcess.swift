import CLinux
import Control
import Foundation

/// One of a cluster's background processes: a run of this executable that outlives the command that started it.
public enum BackgroundProcess: String, CaseIterable, Sendable {
    case supervisor, segment, arbiter

    /// The process as it was recorded, if it still runs.
    public func running(in directory: RunDirectory) -> ProcessIdentity? {
        ProcessIdentity.load(directory.record(of: rawValue)).flatMap { $0.isAlive ? $0 : nil }
    }

    private func socket(in directory: RunDirectory) -> String {
        switch self {
        case .supervisor: directory.supervisorSocket
        case .segment: directory.segmentSocket
        case .arbiter: directory.arbiterSocket
        }
    }

    /// Asks the process. What is said when it does not answer names it, and what keeps it from that.
    public func client(in directory: RunDirectory) -> ControlClient {
        ControlClient(path: socket(in: directory)) {
            let cause = stoppedProcess(in: directory)
            let isItself = cause?.process == self
            return ControlClient.Silence(
                name: name(in: directory),
                advice: cause.map { cause in
                    let name = isItself ? "it" : cause.process.name(in: directory)
                    return "\(name) is stopped: kill -CONT \(cause.number)"
                } ?? "see \(directory.log(of: rawValue))",
                isStopped: cause != nil, isGone: directory.takenDown != nil)
        }
    }

    /// Who keeps the process from its work because somebody has stopped it: itself, or what it hears the nodes by.
    func stoppedProcess(in directory: RunDirectory) -> (process: BackgroundProcess, number: Int32)? {
        if let one = running(in: directory), one.isStopped { return (self, one.processIdentifier) }
        return self == .arbiter ? BackgroundProcess.segment.stoppedProcess(in: directory) : nil
    }

    /// What a reader knows it by, with its number while it runs.
    func name(in directory: RunDirectory) -> String {
        let number = running(in: directory).map { " (process \($0.processIdentifier))" } ?? ""
        return "the \(title(in: directory))\(number)"
    }

    /// What a reader knows it by.
    func title(in directory: RunDirectory) -> String {
        let storage = (try? ClusterDescription.load(directory))?.storage
        return self == .arbiter && storage?.isVolatile == false ? "page server" : rawValue
    }

    /// Whether the process accepts requests.
    func isServing(in directory: RunDirectory) -> Bool { canConnect(to: socket(in: directory)) }

    /// Starts the process in a session of its own. Its output goes to its log.
    ///
    /// - Throws: `.fault` when the system does not start it.
    func start(in directory: RunDirectory) throws(Failure) -> Int32 {
        let executable = Installation().executable
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(
            &actions, 1, directory.log(of: rawValue), O_WRONLY | O_CREAT | O_APPEND, 0o600)
        posix_spawn_file_actions_adddup2(&actions, 1, 2)
        // Whoever called the command may wait for its descriptors to be closed.
        posix_spawn_file_actions_addclosefrom_np(&actions, 3)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        posix_spawnattr_setflags(&attributes, Self.newSession)

        // Safe: the copies live until the call is over, and the list ends with nil.
        var arguments: [UnsafeMutablePointer<CChar>?] = []
        for argument in try [executable] + words(in: directory) { arguments.append(strdup(argument)) }
        arguments.append(nil)
        defer { arguments.forEach { free($0) } }
        var child: pid_t = 0
        // By this name it is the very program that runs here, even when its file was replaced by a later build.
        let status = posix_spawn(&child, "/proc/self/exe", &actions, &attributes, &arguments, environ)
        guard status == 0 else {
            throw Failure(.fault, "cannot start the \(rawValue): \(String(cString: strerror(status)))")
        }
        return child
    }

    /// The command that the process is, with its arguments. An arbiter with a disk is a page server.
    private func words(in directory: RunDirectory) throws(Failure) -> [String] {
        if self == .arbiter {
            let storage = try ClusterDescription.load(directory).storage
            if !storage.isVolatile { return ["pageserver", directory.path, "--directory", storage.directory] }
        }
        return [rawValue, directory.path]
    }

    /// Called by the process itself: takes its lock, records itself, and then works.
    ///
    /// Does nothing when another process does this work already.
    public func run(in directory: RunDirectory, _ body: () async throws -> Void) async throws {
        do {
            guard let lock = try ProcessLock.take(directory.lock(of: rawValue)) else { return }
            guard let identity = ProcessIdentity(of: getpid()) else {
                throw Failure(.fault, "/proc does not know this process")
            }
            try identity.save(to: directory.record(of: rawValue))
            // Who takes the cluster down may have looked for the record before it was there.
            if directory.isEnding { return }
            try await body()
            // The lock is held until here.
            _ = consume lock
        } catch {
            let failure = Failure(error, while: "running the \(rawValue)")
            let words = String(decoding: try JSONEncoder().encode(failure), as: UTF8.self)
            FileHandle.standardError.write(Data("\(Self.lastWord)\(words)\n".utf8))
            exit(failure.kind.rawValue)
        }
    }

    /// Before the failure, as JSON, in the last line of a process's log.
    private static let lastWord = "failure "

    /// Waits until the process answers on its socket.
    ///
    /// - Throws: `.unavailable` with the end of its log when it died, `.timeout` when it does not answer.
    func waitUntilServing(in directory: RunDirectory, child: Int32, limit: Duration) async throws(Failure) {
        let deadline = ContinuousClock.now + limit
        var leftToAnother: ContinuousClock.Instant?
        while ContinuousClock.now < deadline {
            if isServing(in: directory) { return }
            var status: Int32 = 0
            if waitpid(child, &status, WNOHANG) == child {
                guard status == 0 else { throw lastWords(in: directory, status) }
                // It found another at work, which may have its lock and not be recorded yet.
                leftToAnother = .now
            }
            if let since = leftToAnother, ContinuousClock.now - since > Self.recordLimit,
                running(in: directory) == nil
            {
                throw Failure(
                    .unavailable, "the \(rawValue) ended while others started it", advice: "try again", at: rawValue)
            }
            // Cancellation is seen by the caller's next request.
            try? await Task.sleep(for: .milliseconds(2))
        }
        throw Failure(
            .timeout, "the \(rawValue) does not answer", advice: "see \(directory.log(of: rawValue))", at: rawValue)
    }

    /// From a process's lock to its record: a hundred times what it takes on a busy machine.
    private static let recordLimit = Duration.seconds(2)

    /// Why it ended, as far as it could say so.
    ///
    /// - Parameter status: of waitpid(2).
    func lastWords(in directory: RunDirectory, _ status: Int32) -> Failure {
        // On a full disk the end of the log is older.
        do { try directory.checkWritable() } catch { return error }
        // Then its log says nothing of it.
        let signal = status & 0x7f
        guard signal == 0 else {
            return Failure(.unavailable, "the \(rawValue) was killed by signal \(signal)", at: rawValue)
        }
        let log = FileManager.default.contents(atPath: directory.log(of: rawValue)) ?? Data()
        let line = String(decoding: log.suffix(4000), as: UTF8.self).split(separator: "\n").last ?? ""
        let words = line.hasPrefix(Self.lastWord) ? Data(line.dropFirst(Self.lastWord.count).utf8) : Data()
        if let failure = try? JSONDecoder().decode(Failure.self, from: words) { return failure }
        return Failure(
            .unavailable, "the \(rawValue) ended at once: \(line)", advice: "see \(directory.log(of: rawValue))",
            at: rawValue)
    }

    /// POSIX_SPAWN_SETSID of <spawn.h>, which Swift's Glibc module leaves out.
    private static let newSession: Int16 = 0x80
}

/// Whether somebody accepts connections at `path`.
private func canConnect(to path: String) -> Bool {
    let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | O_CLOEXEC, 0)
    guard descriptor >= 0 else { return false }
    defer { close(descriptor) }
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { field in
        // Safe: `RunDirectory` admits only paths that fit.
        field.copyBytes(from: path.utf8.prefix(field.count - 1))
    }
    return withUnsafePointer(to: &address) { pointer in
        // Safe: every socket address may be seen as its common head.
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0
        }
    }
}
