import Control
import Glibc
import Heap
import Kernel
import Programs
import Wire

/// The file that a job is given, in memory until it lies in the shared memory, and cut into pieces that fit a command.
struct JobInput: Sendable {
    let bytes: [UInt8]
    /// Bytes of each piece but the last.
    let pieceBytes: Int

    var pieceCount: Int { (bytes.count + pieceBytes - 1) / pieceBytes }

    init(bytes: [UInt8], maximumFrameBytes: Int) {
        self.bytes = bytes
        pieceBytes = Self.pieceBytes(maximumFrameBytes: maximumFrameBytes)
    }

    /// The largest part of a page, halved again and again, that fits a frame with all headers in front of it: a page on
    /// a jumbo segment, 1024 bytes at MTU 1500. So no piece crosses a page.
    static func pieceBytes(maximumFrameBytes: Int) -> Int {
        var size = Limits.pageBytes
        while size > room(maximumFrameBytes: maximumFrameBytes) { size /= 2 }
        return size
    }

    /// Bytes that a frame has for what follows the head of a kernel's command.
    private static func room(maximumFrameBytes: Int) -> Int {
        let kernelHead = Kernel.Command.maximumByteCount - Kernel.Command.maximumPutByteCount
        return maximumFrameBytes - Wire.Command.dataOffset - kernelHead
    }

    /// The command that places a piece.
    func command(_ piece: Int, job: Int) -> [UInt8] {
        let start = piece * pieceBytes
        let end = min(start + pieceBytes, bytes.count)
        return Kernel.Command.putBytes(
            job: UInt64(job), address: Kernel.Command.inputStart + UInt64(start), bytes: Array(bytes[start..<end])
        ).encode()
    }

    /// Reads a file.
    ///
    /// - Throws: `.input` when it is missing, unreadable, no regular file, or larger than `limit`, the most that the
    ///   shared memory holds.
    static func read(_ path: String, limit: UInt64) throws(Failure) -> [UInt8] {
        let file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard file >= 0 else {
            throw Failure(.input, "cannot read \(path): \(String(cString: strerror(errno)))", at: path)
        }
        defer { close(file) }
        var facts = stat()
        guard fstat(file, &facts) == 0 else {
            throw Failure(.input, "cannot read \(path): \(String(cString: strerror(errno)))")
        }
        guard facts.st_mode & S_IFMT == S_IFREG else {
            let kind = facts.st_mode & S_IFMT == S_IFDIR ? "a directory" : "no regular file"
            throw Failure(.input, "\(path) is \(kind)", advice: "give the path of a file", at: path)
        }
        guard UInt64(facts.st_size) <= limit else {
            throw Failure(
                .input,
                "\(path) has \(facts.st_size) bytes, and the shared memory takes \(limit)",
                advice: "start the cluster with a larger --shared, or use a smaller file", at: path)
        }
        return try read(file, path, count: Int(facts.st_size))
    }

    private static func read(_ file: Int32, _ path: String, count: Int) throws(Failure) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var done = 0
        while done < count {
            // Safe: the rest of the array bounds what the system may write.
            let more = bytes.withUnsafeMutableBytes { Glibc.read(file, $0.baseAddress! + done, count - done) }
            if more < 0 && errno == EINTR { continue }
            guard more > 0 else {
                let reason = more == 0 ? "it became shorter meanwhile" : String(cString: strerror(errno))
                throw Failure(.input, "cannot read \(path): \(reason)")
            }
            done += more
        }
        // What the kernel makes up as it is read, as below /proc, says that it is empty.
        var byte: UInt8 = 0
        guard count > 0 || Glibc.read(file, &byte, 1) == 0 else {
            throw Failure(
                .input, "\(path) does not tell its size", advice: "copy it to a file of its own first", at: path)
        }
        return bytes
    }
}

/// What a user asked to be run, checked as far as it can be without the cluster.
struct JobRequest: Sendable {
    let program: String
    let arguments: [[UInt8]]
    /// Numbers of the nodes, each once.
    let nodes: [Int]
    let input: JobInput
    /// The job's number, where it has one already.
    let number: Int?

    /// - Throws: `.input` for an unknown program or an unusable file; `.usage` for arguments that the program does not
    ///   take and for nodes that cannot exist.
    init(_ request: ArbiterStart, sharedPages: UInt32, maximumFrameBytes: Int) throws(Failure) {
        let entries = ProgramTable.all
        guard let entry = entries.first(where: { $0.name.description == request.program }) else {
            let names = entries.map(\.name.description).joined(separator: ", ")
            throw Failure(.input, "there is no program \"\(request.program)\"", advice: "there are \(names)")
        }
        number = request.job
        program = request.program
        arguments = request.arguments.map { Array($0.utf8) }
        do throws(ArgumentError) { try entry.check(arguments) } catch {
            throw Failure(.usage, "\(program) \(entry.usage): \(error.sentence)")
        }
        nodes = Set(request.nodes).sorted()
        guard !nodes.isEmpty, nodes.allSatisfy({ (1...Limits.maximumNodes).contains($0) }) else {
            throw Failure(.usage, "a program needs at least one node, from n1 to n\(Limits.maximumNodes)")
        }
        var bytes: [UInt8] = []
        if entry.takesFile {
            guard let path = request.input else { throw Failure(.usage, "\(program) \(entry.usage): FILE is missing") }
            bytes = try JobInput.read(
                path, limit: Kernel.Command.maximumInputByteCount(pageCount: sharedPages))
        } else if request.input != nil {
            throw Failure(.usage, "\(program) \(entry.usage): it takes no file")
        }
        input = JobInput(bytes: bytes, maximumFrameBytes: maximumFrameBytes)
    }
}

extension ArgumentError {
    /// What is wrong, in words.
    var sentence: String {
        switch self {
        case .missing(let name): "\(name.text) is missing"
        case .missingValue(let name): "\(name.text) needs a value"
        case .notANumber(let name): "\(name.text) must be a decimal number without sign"
        case .outOfRange(let name, let least, let most): "\(name.text) must lie between \(least) and \(most)"
        case .unknownValue(let name): "that is no value for \(name.text)"
        case .unexpected(let index): "argument \(index + 1) is one too many"
        case .tooMany: "the arguments are too many or too long"
        }
    }
}
