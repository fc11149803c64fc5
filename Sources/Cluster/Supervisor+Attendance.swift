import Control

/// The processes that a supervisor watches over: whether they live, and whether they do their work.
extension Supervisor {
    /// What a person should know: for `plurix events`.
    func note(_ words: String) {
        logger.notice("\(words)")
        directory.notices.append(NoticeFile.line(words))
    }

    /// What keeps the segment from its work, so that nothing reaches the arbiter.
    var hindrance: String? { attendances[.segment]?.trouble?.description }

    /// What takes both arbiter and segment is not begun without them: it would come to an end later, unasked.
    func refuseWhileHindered() throws(Failure) {
        if let trouble = troubles[.arbiter] {
            throw Failure(
                .unavailable, "\(BackgroundProcess.arbiter.name(in: directory)) does not start: \(trouble.message)",
                advice: trouble.advice, at: BackgroundProcess.arbiter.rawValue)
        }
        guard let stopped = BackgroundProcess.arbiter.stoppedProcess(in: directory) else { return }
        throw Failure(
            .unavailable, "\(stopped.process.name(in: directory)) is stopped",
            advice: "let it go on: kill -CONT \(stopped.number)", at: stopped.process.rawValue)
    }

    /// A background process was seen alive.
    func saw(_ process: BackgroundProcess, _ one: ProcessIdentity) {
        let number = one.processIdentifier
        var attendance = attendances[process] ?? Attendance(of: number)
        let words = attendance.looked(
            at: number, process.name(in: directory), isStopped: one.isStopped, now: .now)
        attendances[process] = attendance
        if let words { note(words) }
    }

    /// A background process was asked whether it is there.
    func asked(_ process: BackgroundProcess, _ one: ProcessIdentity, hasAnswered: Bool, within patience: Duration) {
        let words = attendances[process]?.asked(
            one.processIdentifier, process.name(in: directory), hasAnswered: hasAnswered, within: patience,
            log: directory.log(of: process.rawValue))
        if let words { note(words) }
    }

    /// A background process was found dead, and is to be started again.
    func missed(_ process: BackgroundProcess) {
        if process == .arbiter, isArbiterAwaited {
            isArbiterAwaited = false
            return
        }
        // None where it is started for the first time.
        guard let last = ProcessIdentity.load(directory.record(of: process.rawValue)) else { return }
        let name = "the \(process.title(in: directory)) (process \(last.processIdentifier))"
        let words = "\(name) died and is started again"
        logger.notice("\(words)")
        // A supervisor that was killed at it may have said so already.
        directory.notices.appendOnce(words)
    }
}
