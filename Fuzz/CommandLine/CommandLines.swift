import ArgumentParser
import Control
import Foundation
import Segment
import Wire

@testable import plurix

// The command line of `plurix`: an executable of its own, because the command's parser comes from packages that the
// host's build has compiled. What the parser accepts is checked as far as nothing is touched outside of the process.

/// `FUZZ_TARGET=list` prints the target and the bytes of its longest input.
@_cdecl("LLVMFuzzerInitialize")
public func initialise(_ count: UnsafeMutableRawPointer, _ arguments: UnsafeMutableRawPointer) -> CInt {
    if getenv("FUZZ_TARGET").map({ String(cString: $0) }) == "list" {
        print("commandline 512")
        exit(0)
    }
    return 0
}

/// An argument a line.
@_cdecl("LLVMFuzzerTestOneInput")
public func test(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let text = String(decoding: UnsafeBufferPointer(start: bytes, count: count), as: UTF8.self)
    check(text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init))
    return 0
}

private func require(_ isKept: Bool, _ promise: @autoclosure () -> String) {
    if !isKept { fatalError("broken: \(promise())") }
}

private func check(_ arguments: [String]) {
    let arranged = ArgumentOrder.arranged(arguments)
    require(arranged.sorted() == arguments.sorted(), "arranging loses and invents nothing")
    require(ArgumentOrder.arranged(arranged) == arranged, "what is arranged stays as it is")
    let tail = arguments.firstIndex(of: "--").map { arguments[$0...] } ?? []
    require(Array(arranged.suffix(tail.count)) == Array(tail), "what stands behind -- stays there")
    do {
        try ArgumentOrder.checkCommand(arranged, among: Plurix.commands)
        try ArgumentOrder.checkOptions(arranged)
        accept(try Plurix.parseAsRoot(arranged))
    } catch let failure as Failure {
        require(failure.kind == .usage && !failure.message.isEmpty, "an unknown command is a wrong usage")
    } catch {
        let code = Plurix.exitCode(for: error).rawValue
        require(code == 0 || code == Failure.Kind.usage.rawValue, "a wrong command line ends with 64, not \(code)")
        require(code == 0 || !Plurix.fullMessage(for: error).isEmpty, "a refused command line is explained")
    }
}

/// What was accepted can be computed with.
private func accept(_ command: any ParsableCommand) {
    switch command {
    case let run as Run:
        do throws(Failure) {
            let request = try ProgramRequest(run.program, run.programArguments)
            require(request.arguments.count <= run.programArguments.count, "a program gets no more than was said")
        } catch {
            require([.usage, .input].contains(error.kind), "a wrong argument is the user's: \(error.kind)")
        }
    case let up as Up:
        require((1...Limits.maximumNodes).contains(up.nodes), "a cluster has a possible number of nodes")
        let isPossible = Up.sharedRange.contains(up.shared ?? Up.usualShared) && Up.memoryRange.contains(up.memory)
        require(isPossible, "a cluster has a possible size")
        checkStore(up.store)
    case let loss as NetLoss: require((0...100).contains(loss.share.value), "a share is one")
    case let delay as NetDelay:
        var faults = SegmentFaults()
        faults.delayMicroseconds = delay.delay.microseconds
        faults.jitterMicroseconds = delay.jitter?.microseconds ?? 0
        require((try? faults.validated()) != nil, "a delay is one that the segment takes")
    default: break
    }
}

/// Where a store lies is computed, and nothing is looked at there.
private func checkStore(_ options: StoreOptions) {
    guard let directory = try? RunDirectory(name: "c", base: "/tmp/c") else { return }
    do throws(Failure) {
        let plan = try options.plan(for: directory)
        require(plan.storage.directory.hasPrefix("/"), "a store has a place: \(plan.storage.directory)")
        require(ClusterDescription.Storage.keepCountRange.contains(plan.storage.keepCount), "some checkpoints stay")
        let longest = ClusterDescription.Storage.maximumSeconds
        require(max(plan.storage.keepSeconds, plan.storage.checkpointSeconds) <= longest, "times do not overflow")
        require(plan.beginning != .continued || !plan.isNew, "what goes on is not begun anew")
    } catch {
        require(error.kind == .input, "a place that cannot be is the user's: \(error.kind)")
    }
}
