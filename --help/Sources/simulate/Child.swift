import Glibc

/// A program as a process of its own, mostly this one once more: what traps or hangs there ends only that.
struct Child {
    let process: pid_t
    /// Where its output arrives.
    let output: Int32
    private var unfinished: [UInt8] = []

    /// This program.
    static let own = "/proc/self/exe"

    /// Nil when the system has no room for it.
    init?(_ arguments: [String], program: String = own) {
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { return nil }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, ends[1], 1)
        posix_spawn_file_actions_adddup2(&actions, ends[1], 2)
        // Safe: the copies live until they are freed below, and the list of each ends with nil.
        let words = (["simulate"] + arguments).map { strdup($0) } + [nil]
        let environment = Self.environment.map { strdup($0) } + [nil]
        defer { for word in words + environment { free(word) } }
        var process: pid_t = 0
        var error = posix_spawn(&process, program, &actions, nil, words, environment)
        // A program that was just written is busy as long as a child of another thread, forked meanwhile, has it open.
        for _ in 0..<Self.busyTries where error == ETXTBSY {
            usleep(5_000)
            error = posix_spawn(&process, program, &actions, nil, words, environment)
        }
        close(ends[1])
        guard error == 0 else {
            close(ends[0])
            return nil
        }
        self.process = process
        output = ends[0]
    }

    private static let busyTries = 400

    /// This process's, but a trap's trace, which takes seconds, is not wanted of a child.
    private static let environment: [String] = {
        var words = ["SWIFT_BACKTRACE=enable=no"]
        var place = 0
        // Safe: environ is a list of C strings that ends with nil.
        while let word = environ[place] {
            words.append(String(cString: word))
            place += 1
        }
        return words
    }()

    /// Waits until something has arrived, or it has closed its output; false when that takes too long.
    func speaks(within time: Duration) -> Bool {
        var wait = pollfd(fd: output, events: Int16(POLLIN), revents: 0)
        return poll(&wait, 1, Int32(time / .milliseconds(1))) > 0
    }

    /// Takes in what has arrived: the whole lines; nil when the child has closed its output.
    mutating func read() -> [String]? {
        var bytes = [UInt8](repeating: 0, count: 1 << 16)
        let count = Glibc.read(output, &bytes, bytes.count)
        guard count > 0 else { return nil }
        unfinished += bytes[..<count]
        var lines: [String] = []
        while let end = unfinished.firstIndex(of: UInt8(ascii: "\n")) {
            lines.append(String(decoding: unfinished[..<end], as: UTF8.self))
            unfinished.removeSubrange(...end)
        }
        return lines
    }

    /// Waits for its end; the signal that ended it, or nil.
    func finish() -> Int32? {
        close(output)
        var status: Int32 = 0
        waitpid(process, &status, 0)
        return status & 0x7F == 0 ? nil : status & 0x7F
    }

    func kill() { Glibc.kill(process, SIGKILL) }
}
