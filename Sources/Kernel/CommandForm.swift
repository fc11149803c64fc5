import Heap

/// A command in its stored form: checks lengths once, then reads fields (`Command` has the table).
struct CommandForm: ~Escapable {
    enum Kind: UInt32 {
        case putBytes = 1
        case startJob = 2
        case stopJob = 3
        case markDead = 4
    }

    static let headerByteCount = 56

    let kind: Kind
    let job: UInt64
    /// The field at 16, whose meaning depends on the kind.
    let subject: UInt64
    private let bytes: RawSpan

    @_lifetime(copy bytes)
    init(_ bytes: RawSpan) throws(CommandError) {
        guard bytes.byteCount >= Self.headerByteCount, let kind = Kind(rawValue: bytes.unsigned32(at: 0))
        else {
            throw .malformed
        }
        self.bytes = bytes
        self.kind = kind
        job = bytes.unsigned64(at: 8)
        subject = bytes.unsigned64(at: 16)
    }

    /// Places bytes in the job heap.
    func put(on memory: SharedMemory) throws(CommandError) {
        let payload = bytes.extracting(droppingFirst: Self.headerByteCount)
        let first = SharedAddress(page: SystemLayout.heapFirstPage).offset
        guard subject >= first, subject <= memory.byteCount,
            UInt64(payload.byteCount) <= memory.byteCount - subject
        else { throw .outsideHeap }
        memory.write(payload, at: SharedAddress(subject))
    }

    /// Writes the job record, forgets the job before, and frees the heap behind the input.
    func startJob(on memory: SharedMemory) throws(CommandError) {
        let inputOffset = bytes.unsigned64(at: 24), inputByteCount = bytes.unsigned64(at: 32)
        let nameByteCount = Int(bytes.unsigned32(at: 40)), argumentCount = bytes.unsigned32(at: 44)
        let argumentByteCount = Int(bytes.unsigned32(at: 48))
        guard subject != 0, nameByteCount <= JobPlaces.nameLimit,
            argumentByteCount <= JobPlaces.argumentLimit,
            bytes.byteCount == Self.headerByteCount + nameByteCount + argumentByteCount,
            argumentsAreComplete(Self.headerByteCount + nameByteCount, argumentCount)
        else { throw .malformed }
        guard inputOffset == Command.inputStart.offset, inputByteCount <= memory.byteCount - inputOffset
        else {
            throw .outsideHeap
        }
        memory[JobPlaces.number] = job
        memory[JobPlaces.phase] = JobPhase.preparing.rawValue
        memory[JobPlaces.failedNode] = 0
        memory[JobPlaces.participants] = subject
        memory[JobPlaces.dead] = 0
        memory[JobPlaces.inputOffset] = inputOffset
        memory[JobPlaces.inputByteCount] = inputByteCount
        memory[JobPlaces.nameByteCount] = UInt32(nameByteCount)
        memory[JobPlaces.argumentCount] = argumentCount
        memory[JobPlaces.argumentByteCount] = UInt32(argumentByteCount)
        memory[JobPlaces.programFormat] = 0
        let texts = bytes.extracting(droppingFirst: Self.headerByteCount)
        memory.write(texts.extracting(first: nameByteCount), at: JobPlaces.name)
        memory.write(texts.extracting(droppingFirst: nameByteCount), at: JobPlaces.arguments)
        CommonPage.clear(memory)
        let inputPages = (inputByteCount + pageByteCount - 1) / pageByteCount
        SystemLayout.pageAllocator(memory).reset(first: SystemLayout.heapFirstPage + UInt32(inputPages))
    }

    /// Do the arguments, from `start` to the end, have the lengths that they say?
    private func argumentsAreComplete(_ start: Int, _ count: UInt32) -> Bool {
        guard count <= UInt32(Arguments.maximumCount) else { return false }
        var position = start
        for _ in 0..<count {
            guard position + 2 <= bytes.byteCount else { return false }
            position += 2 + Int(bytes.unsigned16(at: position))
        }
        return position == bytes.byteCount
    }
}

extension CommandForm {
    /// Puts a stored form together, on the host.
    struct Builder {
        private(set) var bytes: [UInt8] = []

        mutating func header(_ kind: Kind, job: UInt64, subject: UInt64) {
            append(UInt64(kind.rawValue))
            append(job)
            append(subject)
            bytes.append(contentsOf: [UInt8](repeating: 0, count: headerByteCount - bytes.count))
        }

        mutating func start(_ start: JobStart) {
            bytes.removeLast(headerByteCount - 24)
            append(Command.inputStart.offset)
            append(start.inputByteCount)
            append(UInt64(start.programName.count) | UInt64(start.argumentCount) << 32)
            append(UInt64(start.argumentBytes.count))
            append(start.programName)
            append(start.argumentBytes)
        }

        mutating func append(_ more: [UInt8]) { bytes.append(contentsOf: more) }

        private mutating func append(_ number: UInt64) {
            for shift in stride(from: 0, to: 64, by: 8) {
                bytes.append(UInt8(truncatingIfNeeded: number >> UInt64(shift)))
            }
        }
    }
}

extension RawSpan {
    /// Little-endian numbers.
    fileprivate func unsigned16(at offset: Int) -> UInt16 { number(at: offset, UInt16.self) }
    fileprivate func unsigned32(at offset: Int) -> UInt32 { number(at: offset, UInt32.self) }
    fileprivate func unsigned64(at offset: Int) -> UInt64 { number(at: offset, UInt64.self) }

    private func number<Number: FixedWidthInteger & BitwiseCopyable>(at offset: Int, _: Number.Type) -> Number
    {
        precondition(
            offset >= 0 && offset <= byteCount - MemoryLayout<Number>.size, "field outside of its bytes")
        // Unsafe: inside the span by the check above, and every bit pattern is a number.
        return Number(littleEndian: unsafeLoadUnaligned(fromByteOffset: offset, as: Number.self))
    }
}
