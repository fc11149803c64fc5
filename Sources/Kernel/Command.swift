import Heap

/// Why a node refused a command.
public enum CommandError: Error, Equatable, Sendable {
    /// The bytes are no command, or a field is out of its range.
    case malformed
    /// The bytes to be placed do not lie in the job heap.
    case outsideHeap
    /// Another job is still running.
    case busy
}

/// What the host asks of the shared memory. Host stations never write to it: a node performs the
/// command, as one transaction. Performing one twice, or late, changes nothing.
///
/// | offset | stored form, little endian |
/// |---|---|
/// | 0 | kind (32 bits): 1 put bytes, 2 start job, 3 stop job, 4 mark dead |
/// | 8 | job number |
/// | 16 | put: offset in the window; start: mask of participants; dead: number of the node |
/// | 24 | start: offset of the input, 32 its bytes |
/// | 40 | start: bytes of the name (32), 44 number of arguments (32), 48 bytes of the arguments (32) |
/// | 56 | put: the bytes; start: the name and, behind it, the arguments |
public enum Command: Equatable, Sendable {
    /// Places a piece of the input of a job that is going to start.
    case putBytes(job: UInt64, address: SharedAddress, bytes: [UInt8])
    /// Starts a job. Numbers grow: a job that is not newer than the current one is ignored.
    case startJob(JobStart)
    /// No job up to this number runs any more, or can begin late: the current one is ended, whatever it does, and late
    /// commands for one that was never started are ignored.
    case stopJob(UInt64)
    /// A participant died: its part is not waited for any more.
    case markDead(job: UInt64, node: UInt32)

    /// The most bytes that one `putBytes` holds: a page.
    public static let maximumPutByteCount = Int(pageByteCount)
    /// The most bytes of a stored form: those of a `putBytes` that holds a page.
    public static let maximumByteCount = CommandForm.headerByteCount + maximumPutByteCount

    /// Where the input of a job lies; the job allocates behind it.
    public static let inputStart = SharedAddress(page: SystemLayout.heapFirstPage)

    /// The most input that a window of `pageCount` pages holds, leaving nothing to the program.
    public static func maximumInputByteCount(pageCount: UInt32) -> UInt64 {
        UInt64(pageCount - SystemLayout.heapFirstPage) * pageByteCount
    }

    /// The stored form.
    public func encode() -> [UInt8] {
        var form = CommandForm.Builder()
        switch self {
        case .putBytes(let job, let address, let bytes):
            precondition(bytes.count <= Self.maximumPutByteCount, "too many bytes for one command")
            form.header(.putBytes, job: job, subject: address.offset)
            form.append(bytes)
        case .startJob(let start):
            form.header(.startJob, job: start.number, subject: start.participants)
            form.start(start)
        case .stopJob(let job):
            form.header(.stopJob, job: job, subject: 0)
        case .markDead(let job, let node):
            form.header(.markDead, job: job, subject: UInt64(node))
        }
        return form.bytes
    }

    /// Whether a command in its stored form ends a job: a step of it that is under way need not come to its end.
    public static func endsJob(_ command: RawSpan) -> Bool {
        do throws(CommandError) {
            return try CommandForm(command).kind == .stopJob
        } catch {
            return false
        }
    }

    /// Does what a command in its stored form asks, as one transaction. Writes nothing if it throws.
    public static func perform(_ command: RawSpan, on memory: SharedMemory) throws(CommandError) {
        let form = try CommandForm(command)
        let job = JobRecord(memory)
        let isNewer = form.job > job.number
        let isCurrentAndActive = form.job == job.number && job.phase?.isActive == true
        switch form.kind {
        case .putBytes, .startJob:
            guard isNewer else { return }
            guard job.phase?.isActive != true else { throw .busy }
            if form.kind == .putBytes { try form.put(on: memory) } else { try form.startJob(on: memory) }
        case .stopJob:
            guard isNewer || isCurrentAndActive else { return }
            memory[JobPlaces.number] = form.job
            memory[JobPlaces.phase] = JobPhase.stopped.rawValue
        case .markDead:
            guard let node = UInt32(exactly: form.subject), (1...SystemLayout.maximumNodeCount).contains(node)
            else {
                throw .malformed
            }
            let mask = SystemLayout.mask(of: node)
            if isCurrentAndActive && job.includes(node) { memory[JobPlaces.dead] |= mask }
        }
    }
}

/// A job to be started.
public struct JobStart: Equatable, Sendable {
    /// Larger than that of any job before.
    public let number: UInt64
    /// Nodes that take part: bit 0 is node 1.
    public let participants: UInt64
    /// UTF-8, at most 64 bytes.
    public let programName: [UInt8]
    /// Bytes placed at `Command.inputStart` before.
    public let inputByteCount: UInt64
    let argumentCount: Int
    let argumentBytes: [UInt8]

    /// - Throws: `ArgumentError.tooMany`; others come from `ProgramEntry.check`, to be called before.
    public init(
        number: UInt64, participants: UInt64, programName: [UInt8], arguments: [[UInt8]],
        inputByteCount: UInt64
    ) throws(ArgumentError) {
        self.number = number
        self.participants = participants
        self.programName = programName
        self.inputByteCount = inputByteCount
        argumentCount = arguments.count
        argumentBytes = try Arguments.encode(arguments)
    }
}
