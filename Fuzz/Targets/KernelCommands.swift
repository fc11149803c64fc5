import Heap
import Programs

@testable import Kernel

extension Target {
    /// Commands of the host in their stored form, one after the other, on a memory that is never left half done.
    static let command = Target("command", longest: 2048) { bytes in
        var input = Input(bytes)
        var memory = Window()
        memory.with { SystemLayout.initialise($0) }
        while !input.isEmpty { perform(stored(&input), on: &memory) }
    }

    /// A command of the host, disturbed.
    private static func stored(_ input: inout Input) -> [UInt8] {
        let job = UInt64(input.below(4))
        var bytes: [UInt8]
        switch input.below(6) {
        case 0:
            let address = SharedAddress(page: SystemLayout.heapFirstPage, UInt64(input.number(UInt16.self)) * 16)
            bytes = Command.putBytes(job: job, address: address, bytes: input.take(input.below(64))).encode()
        case 1: bytes = Command.stopJob(job).encode()
        case 2: bytes = Command.markDead(job: job, node: UInt32(input.below(66))).encode()
        case 3: return input.take(input.below(256))
        default:
            let texts = (0..<input.below(4)).map { _ in input.take(input.below(16)) }
            let name = input.flag() ? Array("counter".utf8) : input.take(input.below(80))
            guard let start = try? JobStart(number: job, participants: input.number(), programName: name,
                                            arguments: texts, inputByteCount: UInt64(input.number(UInt16.self)))
            else { return [] }
            bytes = Command.startJob(start).encode()
        }
        bytes.disturb(&input, most: 2)
        return bytes
    }

    private static func perform(_ bytes: [UInt8], on window: inout Window) {
        let before = window.bytes
        let error = window.with { memory -> CommandError? in
            do throws(CommandError) {
                try Command.perform(bytes.span.bytes, on: memory)
                return nil
            } catch {
                return error
            }
        }
        if error != nil { require(window.bytes == before, "a command that is refused writes nothing") }
        let once = window.bytes
        window.with { memory in try? Command.perform(bytes.span.bytes, on: memory) }
        if error == nil { require(window.bytes == once, "a command performed twice changes nothing") }
        window.with { memory in readBack(JobRecord(memory), memory) }
    }

    /// What a node does with the record: it reads the arguments that lie there.
    private static func readBack(_ job: JobRecord<SharedMemory>, _ memory: SharedMemory) {
        require(job.leader <= SystemLayout.maximumNodeCount, "a leader is a node")
        guard job.phase != nil, job.number > 0 else { return }
        let input = job.input
        require(
            input.count == 0 || input.start.offset + input.count <= memory.byteCount, "the input lies in the memory")
    }
}

/// A shared memory of the least size in a buffer.
private struct Window {
    private(set) var bytes = [UInt8](repeating: 0, count: Int(SystemLayout.minimumPageCount) * Int(pageByteCount))

    @discardableResult
    mutating func with<Result>(_ body: (SharedMemory) -> Result) -> Result {
        bytes.withUnsafeMutableBytes { buffer in
            body(SharedMemory(base: UInt(bitPattern: buffer.baseAddress), pageCount: SystemLayout.minimumPageCount))
        }
    }
}
