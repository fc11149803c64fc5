import Control
import Foundation
import Kernel
import Protocol
import Testing
import Wire

@testable import PageServer

@Suite struct JobsTests {
    private static let second: UInt64 = 1_000_000_000
    private var orders = Orders(incarnation: 1)
    private var jobs: Jobs
    private let request: JobRequest

    init() throws {
        jobs = Jobs(incarnation: 1, in: try RunDirectory(name: "c", base: "/tmp/x"), now: 0)
        request = try JobRequest(
            ArbiterStart(program: "counter", arguments: ["5"], nodes: [1, 2]), sharedPages: 1024,
            maximumFrameBytes: Limits.maximumFrameBytes)
    }

    @Test mutating func noProgramBeginsWhileTheClusterGoesBack() throws {
        jobs.isClosed = true
        do throws(Failure) {
            _ = try jobs.start(request, now: 0, &orders)
            Issue.record("a program began")
        } catch {
            #expect(error.kind == .unavailable && error.message.contains("going back"))
        }
        #expect(jobs.running(now: 0) == nil && orders.count == 0)
        jobs.isClosed = false
        _ = try jobs.start(request, now: 0, &orders)
        #expect(jobs.running(now: 0)?.nodes == [1, 2])
    }

    /// Who has had no answer asks once more, perhaps of the next arbiter.
    @Test mutating func aNumberedJobBeginsOnce() throws {
        let number = jobs.reserve()
        #expect(!jobs.knows(number) && jobs.report(number, now: 0).reply.parts.isEmpty)
        let numbered = try request(numbered: number)
        #expect(try jobs.start(numbered, now: 0, &orders) == number)
        #expect(jobs.knows(number) && jobs.report(number, now: 0).reply.parts.count == 2)
        var next = Jobs(incarnation: 2, in: try RunDirectory(name: "c", base: "/tmp/x"), now: 0)
        #expect(try next.start(numbered, now: 0, &orders) == number)
        next.settle(dead: 0b11, now: 0, &orders)
        // What came later has been begun: the nodes would take no notice of an older one.
        var third = Jobs(incarnation: 3, in: try RunDirectory(name: "c", base: "/tmp/x"), now: 0)
        let late = third.reserve()
        _ = try third.start(request, now: 0, &orders)
        third.settle(dead: 0b11, now: 0, &orders)
        for old in [number, late] {
            let old = try request(numbered: old)
            do throws(Failure) {
                _ = try third.start(old, now: 0, &orders)
                Issue.record("it would never end")
            } catch {
                #expect(error.kind == .unavailable && error.message == "another program was begun before counter")
            }
        }
    }

    /// The nodes have begun a later one that its own arbiter did not live to save, and none of them begins this one.
    @Test mutating func aJobThatWasOvertakenEnds() throws {
        let image = LayoutTests.image()
        let old = Int(JobRecord(image).number) - 1
        _ = try jobs.start(try request(numbered: old), now: 0, &orders)
        doOrders()
        #expect(jobs.isLookWanted(image))
        jobs.refresh(image, now: 0, &orders)
        let failure = jobs.report(old, now: 0).reply.failure
        #expect(failure?.message == "another job has replaced counter")
        #expect(!jobs.isLookWanted(image))
    }

    /// The nodes had begun it for the arbiter before, and it was over, and saved, before this one could ask them to.
    @Test mutating func aJobThatEndedBeforeItWasBegunAgainIsSeen() throws {
        let image = LayoutTests.image()
        let number = Int(JobRecord(image).number)
        _ = try jobs.start(try request(numbered: number), now: 0, &orders)
        // All that is ever saved of it comes too early.
        jobs.refresh(image, now: 0, &orders)
        #expect(!jobs.isLookWanted(image))
        doOrders()
        #expect(jobs.isLookWanted(image))
    }

    /// Has the fence and the start done, and saved.
    private mutating func doOrders() {
        for _ in 0..<2 {
            for identifier in orders.sendAll(to: Station(1)) {
                let reply = CommandReply(identifier: identifier, status: .done, time: GlobalTime(epoch: 1, counter: 1))
                orders.answer(reply, now: 0)
            }
            let chain = [EpochRecord(epoch: 1, opened: .zero)]
            orders.settle(saved: GlobalTime(epoch: 1, counter: 1), chain: chain, now: 0)
            jobs.settle(dead: 0, now: 0, &orders)
        }
    }

    private func request(numbered number: Int) throws -> JobRequest {
        try JobRequest(
            ArbiterStart(program: "counter", arguments: ["5"], nodes: [1, 2], job: number), sharedPages: 1024,
            maximumFrameBytes: Limits.maximumFrameBytes)
    }

    @Test func aBeginIsFoundByTheNextArbiter() throws {
        let base = "/tmp/plurix-begin-test-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"
        let directory = try RunDirectory(name: "c", base: base)
        try directory.create()
        defer { try? FileManager.default.removeItem(atPath: base) }
        #expect(JobBegin.load(directory) == nil)
        for begin in [JobBegin(job: 3, time: 5), JobBegin(job: 4, time: .max)] {
            begin.save(in: directory)
            #expect(JobBegin.load(directory) == begin)
        }
    }

    @Test mutating func whatNobodyAsksForIsStoppedAndTold() throws {
        let job = try jobs.start(request, now: 0, &orders)
        #expect(jobs.running(now: 5 * Self.second)?.unattendedSeconds == 5)
        _ = jobs.report(job, now: 10 * Self.second)
        let running = try #require(jobs.running(now: 10 * Self.second))
        #expect(running.unattendedSeconds == 0)
        let patience = UInt64(running.patienceSeconds)
        jobs.settle(dead: 0, now: (10 + patience) * Self.second, &orders)
        #expect(jobs.takeNotices() == [])
        for extra in 1...3 as ClosedRange<UInt64> {
            jobs.settle(dead: 0, now: (10 + patience + extra) * Self.second, &orders)
        }
        #expect(jobs.takeNotices() == ["counter is stopped: nobody has asked for its result for \(patience) s"])
        #expect(jobs.takeNotices() == [])
        #expect(jobs.running(now: 0) == nil, "it had not begun")
        jobs.settle(dead: 0, now: 1000 * Self.second, &orders)
        #expect(jobs.takeNotices() == [], "its end was wanted")
    }

    /// As on a full disk: whoever waits for a program goes on with that when he is answered again.
    @Test mutating func whoGetsNoAnswerHasNotGoneAway() throws {
        let job = try jobs.start(request, now: 0, &orders)
        jobs.standStill(now: 1000 * Self.second)
        // A turn of the loop that began before that ends.
        jobs.settle(dead: 0, now: 999 * Self.second, &orders)
        #expect(jobs.running(now: 999 * Self.second)?.unattendedSeconds == 0)
        jobs.settle(dead: 0, now: 1001 * Self.second, &orders)
        #expect(jobs.takeNotices() == [] && jobs.running(now: 1001 * Self.second)?.job == job)
        jobs.settle(dead: 0, now: 2000 * Self.second, &orders)
        #expect(jobs.takeNotices().count == 1)
    }

    /// After a restart of the arbiter whoever waits asks at once, and knows that it goes on.
    @Test(arguments: [false, true]) mutating func whatGoesOnUnattendedIsTold(isAsked: Bool) throws {
        jobs.refresh(LayoutTests.image(), now: 0, &orders)
        let running = try #require(jobs.running(now: 0))
        #expect(running.program == "counter")
        if isAsked { _ = jobs.report(running.job, now: Self.second) }
        jobs.settle(dead: 0, now: 2 * Self.second, &orders)
        #expect(jobs.takeNotices() == [])
        jobs.settle(dead: 0, now: 9 * Self.second, &orders)
        jobs.settle(dead: 0, now: 10 * Self.second, &orders)
        let words = "counter, which was at work in the state that is saved, goes on from there"
        #expect(jobs.takeNotices() == (isAsked ? [] : [words]))
    }

    /// As of one that goes on after a restore: whoever began it is gone.
    @Test(arguments: [false, true]) mutating func anEndThatNobodyAsksForIsTold(isAsked: Bool) throws {
        let job = try jobs.start(request, now: 0, &orders)
        jobs.settle(dead: 0b11, now: Self.second, &orders)
        let failure = try #require(jobs.report(job, now: 0).reply.failure)
        #expect(failure.message == "all nodes of counter have died")
        let other = try jobs.start(request, now: Self.second, &orders)
        jobs.settle(dead: 0b11, now: 2 * Self.second, &orders)
        if isAsked { _ = jobs.report(other, now: 3 * Self.second) }
        jobs.settle(dead: 0, now: 5 * Self.second, &orders)
        #expect(jobs.takeNotices() == [])
        jobs.settle(dead: 0, now: 6 * Self.second, &orders)
        jobs.settle(dead: 0, now: 7 * Self.second, &orders)
        #expect(jobs.takeNotices() == (isAsked ? [] : ["\(failure); nobody has asked for its result"]))
    }
}

extension Orders {
    /// Identifiers of what is sent now.
    fileprivate mutating func sendAll(to node: Station) -> [UInt64] {
        var sent: [UInt64] = []
        tick(now: 0, nodes: [node]) { command, _, _ in sent.append(command.identifier) }
        return sent
    }
}
