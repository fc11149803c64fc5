import Control
import Heap
import Kernel
import Wire

/// Reads what the saved state says of one job: how far its parts are, what they printed, and the result.
struct JobReader {
    private let number: Int
    private let participants: UInt64
    /// Whether the state that was read last is about this job.
    private(set) var isCurrent = false
    /// Whether it is about a later one.
    private(set) var isPast = false
    private(set) var phase: JobPhase?
    /// Participants that are marked dead.
    private(set) var dead: UInt64 = 0
    /// Dead participants whose part was not done.
    private(set) var lost: UInt64 = 0
    private(set) var failure: (node: Int, PartFailure)?
    private(set) var parts: [ArbiterJob.Part]
    /// The result in JSON, once the job is finished.
    private(set) var result: [UInt8] = []
    /// Some of the result, or of what was printed, lies in pages that cannot be read back.
    private(set) var isCut = false
    /// What the parts printed, in the order in which it was saved.
    private(set) var output: [ArbiterJob.Output] = []
    /// One for each participant.
    private var printed: [OutputReader]
    private let nodes: [UInt32]
    /// What nodes had done when they died, as they said last, by their number: they write nothing down any more.
    private var lastWords: [Int: Counters] = [:]

    init(number: Int, participants: UInt64) {
        self.number = number
        self.participants = participants
        nodes = (1...UInt32(Limits.maximumNodes)).filter { participants & SystemLayout.mask(of: $0) != 0 }
        parts = nodes.map {
            ArbiterJob.Part(node: Int($0), state: .starting, commits: 0, aborts: 0, pagesFetched: 0)
        }
        printed = nodes.map { _ in OutputReader() }
    }

    /// A node has died.
    ///
    /// - Parameter counters: what it said last.
    mutating func died(_ node: Int, _ counters: Counters) {
        if participants & SystemLayout.mask(of: UInt32(node)) != 0 { lastWords[node] = counters }
    }

    /// Looks at a newer saved state.
    mutating func read(_ image: SharedImage) {
        let record = JobRecord(image)
        isCurrent = record.number == UInt64(number)
        isPast = record.number > UInt64(number)
        guard isCurrent else { return }
        phase = record.phase
        dead = record.dead
        lost = dead & ~CompletionPage.doneNodes(image)
        for (place, node) in nodes.enumerated() { readPart(place, node, image) }
        if phase == .finished {
            var stream = OutputReader()
            stream.advance(
                image, firstPage: CommonPage.resultFirstPage(image), byteCount: CommonPage.resultByteCount(image))
            result = stream.isCut ? [] : stream.bytes
            isCut = stream.isCut || printed.contains(where: \.isCut)
        }
    }

    private mutating func readPart(_ place: Int, _ node: UInt32, _ image: SharedImage) {
        let part = JobPart(of: node, in: image)
        guard part.jobNumber == UInt64(number) else { return }
        count(place, part)
        parts[place].state =
            switch part.state {
            case .idle, nil: .starting
            case .running: lost & SystemLayout.mask(of: node) == 0 ? .running : .failed
            case .done: .finished
            case .failed: .failed
            }
        printed[place].advance(image, firstPage: part.printFirstPage, byteCount: part.printByteCount)
        // What is cut may be found yet.
        let isLast = phase?.isActive != true && !(printed[place].isCut && image.unreadCount > 0)
        if let text = printed[place].takeText(isLast: isLast) {
            output.append(ArbiterJob.Output(node: Int(node), text: text))
        }
        if let failure = part.failure {
            self.failure = (Int(node), failure)
            parts[place].failure = Self.sentence(failure)
            if failure.vector != JobFailure.noVector {
                parts[place].trap = ArbiterJob.Trap(
                    vector: failure.vector, instruction: failure.instruction, address: failure.address)
            }
        } else if parts[place].state == .failed {
            parts[place].failure = "the node died"
        }
    }

    /// What the node did for the job: it writes that down when its part ends.
    private mutating func count(_ place: Int, _ part: JobPart<SharedImage>) {
        parts[place].commits = part.commits
        parts[place].aborts = part.aborts
        parts[place].pagesFetched = part.pagesFetched
        guard part.state == .running, let said = lastWords[parts[place].node] else { return }
        // What it said before its part began says nothing.
        func since(_ start: UInt64, _ now: UInt64) -> UInt64 { now - min(start, now) }
        parts[place].commits = since(part.startCommits, said.commits)
        parts[place].aborts = since(part.startAborts, said.aborts)
        parts[place].pagesFetched = since(part.startPagesFetched, said.pagesFetched)
    }

    /// Why a part failed, in words.
    static func sentence(_ failure: PartFailure) -> String {
        let message = String(decoding: failure.message, as: UTF8.self)
        guard failure.vector != JobFailure.noVector else { return message }
        let address = failure.vector == pageFault ? ", address 0x\(String(failure.address, radix: 16))" : ""
        return "\(message) (exception \(failure.vector) at 0x\(String(failure.instruction, radix: 16))\(address))"
    }

    /// The only exception that an address belongs to.
    private static let pageFault: UInt64 = 14

    /// Whose fault it is, and what helps: what does not fit the memory is the input's, everything else the program's.
    static func judgement(
        of failure: PartFailure, on node: Int, in directory: RunDirectory
    ) -> (kind: Failure.Kind, advice: String?) {
        guard failure.vector == JobFailure.noVector else {
            return (.fault, "see \(directory.hint("autopsy n\(node)")) for where it happened")
        }
        let message = String(decoding: failure.message, as: UTF8.self)
        if message.hasPrefix("the shared memory is full") { return (.input, again(directory, "--shared")) }
        if message.hasPrefix("transactionTooLarge") { return (.input, again(directory, "--memory")) }
        return (message.hasPrefix("a word is longer") ? .input : .fault, nil)
    }

    private static func again(_ directory: RunDirectory, _ option: String) -> String {
        "use less, or start the cluster anew with a larger \(option): \(directory.hint("down")), then"
            + " \(directory.hint("up \(option) MIB"))"
    }
}
