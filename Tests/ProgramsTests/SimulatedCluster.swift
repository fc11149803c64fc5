import Foundation
import Heap
import Seeds

@testable import Kernel
@testable import Programs

/// Nodes over one ordinary buffer, whose steps are interleaved at random and undone at random, as
/// conflicts would. One seed gives one run.
///
/// A node that answers `.wait` is called again only after another node's step changed the memory: a
/// program that waits for nothing to happen is found.
final class SimulatedCluster {
    enum Outcome: Equatable {
        case finished
        case failed(String)
        /// Every node waits: nothing can happen any more.
        case stuck
    }

    private struct Node {
        var attempt: UInt64 = 0
        var readings = NodeReadings(commits: 0, aborts: 0, pagesFetched: 0, nanoseconds: 1)
        var isWaiting = false
        var isDead = false
    }

    private let buffer: UnsafeMutableRawBufferPointer
    private let backup: UnsafeMutableRawBufferPointer
    let memory: SharedMemory
    private var nodes: [UInt32: Node] = [:]
    private var generator: SeededGenerator
    private var jobNumber: UInt64 = 0
    private var phaseOfStep: JobPhase?
    /// One step of so many is undone.
    var abortInterval = 6
    /// Called before every step with the number of steps so far.
    var beforeStep: (SimulatedCluster, Int) throws -> Void = { _, _ in }
    /// Called after each commit with the phase that the step ran in and the pages that it changed.
    var onCommit: ((JobPhase?, [UInt32]) -> Void)?

    init(pageCount: UInt32 = 512, nodes nodeCount: UInt32, seed: UInt64 = 1) {
        buffer = .allocate(byteCount: Int(pageCount) * Int(pageByteCount), alignment: Int(pageByteCount))
        backup = .allocate(byteCount: buffer.count, alignment: Int(pageByteCount))
        buffer.initializeMemory(as: UInt8.self, repeating: 0)
        // The heap holds old bytes, as after other jobs.
        let heap = Int(SystemLayout.heapFirstPage) * Int(pageByteCount)
        UnsafeMutableRawBufferPointer(rebasing: buffer[heap...]).initializeMemory(
            as: UInt8.self, repeating: 0xa5)
        memory = SharedMemory(base: UInt(bitPattern: buffer.baseAddress), pageCount: pageCount)
        generator = SeededGenerator(seed: seed)
        for node in 1...nodeCount { nodes[node] = Node() }
        SystemLayout.initialise(memory)
    }

    deinit {
        buffer.deallocate()
        backup.deallocate()
    }

    /// Runs a program to its end.
    func run(_ program: String, _ arguments: [String] = [], input: [UInt8] = []) throws -> Outcome {
        jobNumber += 1
        try place(input)
        let start = try JobStart(
            number: jobNumber, participants: 1 << UInt64(nodes.count) - 1, programName: Array(program.utf8),
            arguments: arguments.map { Array($0.utf8) }, inputByteCount: UInt64(input.count))
        try perform(.startJob(start))
        for step in 0..<1_000_000 {
            try beforeStep(self, step)
            guard job.phase?.isActive == true else { return outcome }
            guard let node = pickNode() else { return .stuck }
            runStep(node)
        }
        return .stuck
    }

    /// A node falls silent, and the host says so.
    func kill(_ node: UInt32) throws {
        nodes[node]?.isDead = true
        try perform(.markDead(job: jobNumber, node: node))
        wakeAll()
    }

    /// A node loses all that it knew and goes on.
    func restart(_ node: UInt32) {
        nodes[node] = Node()
    }

    var job: JobRecord<PageCopy> { JobRecord(copy(of: SystemLayout.jobPage)) }

    var result: String { text(CommonPage.resultFirstPage(copy(of: SystemLayout.commonPage))) }

    func printed(by node: UInt32) -> String { text(part(node).printFirstPage) }

    func part(_ node: UInt32) -> JobPart<PageCopy> {
        JobPart(of: node, in: copy(of: SystemLayout.partPage(of: node)))
    }

    func copy(of page: UInt32) -> PageCopy {
        let start = Int(page) * Int(pageByteCount)
        return PageCopy(page: page, bytes: Array(buffer[start..<start + Int(pageByteCount)]))!
    }

    private func text(_ firstPage: UInt32) -> String {
        var bytes: [UInt8] = []
        var page = firstPage
        while page != 0 {
            let block = StreamBlock(copy(of: page))!
            bytes += block.bytes
            page = block.nextPage
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private var outcome: Outcome {
        guard job.phase == .failed else { return .finished }
        return .failed(String(decoding: part(job.failedNode).failure?.message ?? [], as: UTF8.self))
    }

    private func place(_ input: [UInt8]) throws {
        for start in stride(from: 0, to: input.count, by: Command.maximumPutByteCount) {
            let piece = Array(input[start..<min(start + Command.maximumPutByteCount, input.count)])
            try perform(.putBytes(job: jobNumber, address: Command.inputStart + UInt64(start), bytes: piece))
        }
    }

    private func perform(_ command: Command) throws {
        try Command.perform(command.encode().span.bytes, on: memory)
        wakeAll()
    }

    private func pickNode() -> UInt32? {
        nodes.keys.sorted().filter { !nodes[$0]!.isWaiting && !nodes[$0]!.isDead }.randomElement(
            using: &generator)
    }

    private func wakeAll(but sleeper: UInt32? = nil) {
        for node in nodes.keys where node != sleeper { nodes[node]!.isWaiting = false }
    }

    private func runStep(_ number: UInt32) {
        var node = nodes[number]!
        defer { nodes[number] = node }
        backup.copyMemory(from: UnsafeRawBufferPointer(buffer))
        phaseOfStep = job.phase
        node.readings.nanoseconds += 1000
        let outcome = JobRunner<TestedPrograms>.runStep(
            memory, node: number, attempt: node.attempt, readings: node.readings)
        let isDoomed = Int.random(in: 0..<abortInterval, using: &generator) == 0
        node.readings.isStrict = outcome == .strictly && !isDoomed
        switch outcome {
        case _ where isDoomed, .abandon, .strictly:
            undo(&node)
            if !isDoomed && outcome != .strictly { node.attempt += 1 }
        case .failed(let reason):
            undo(&node)
            JobRunner<TestedPrograms>.recordFailure(
                memory, node: number, JobFailure(reason), readings: node.readings)
            commit(&node, number)
        case .again, .durably:
            commit(&node, number)
        case .wait:
            commit(&node, number)
            node.isWaiting = true
        }
    }

    private func undo(_ node: inout Node) {
        buffer.copyMemory(from: UnsafeRawBufferPointer(backup))
        node.readings.aborts += 1
    }

    private func commit(_ node: inout Node, _ number: UInt32) {
        node.readings.commits += 1
        node.attempt = 0
        let changed = changedPages
        if !changed.isEmpty { wakeAll(but: number) }
        onCommit?(phaseOfStep, changed)
    }

    private var changedPages: [UInt32] {
        (0..<memory.pageCount).filter { page in
            let start = Int(page) * Int(pageByteCount)
            return memcmp(buffer.baseAddress! + start, backup.baseAddress! + start, Int(pageByteCount)) != 0
        }
    }
}
