import Durability
import Protocol
import Store
import Testing
import Wire

@testable import Simulation

/// The keeper of an arbiter's store when the disk fails once, at any of its calls.
@Suite struct KeeperTests {
    private typealias Fault = FaultyDisk<SimulatedDisk>.Fault

    private static let geometry = Geometry(pageBytes: 64, pageCount: 8, segmentBytes: 4096, reserveBytes: 0)

    private static let rounds = 40

    private static func time(_ counter: Int) -> GlobalTime { GlobalTime(epoch: 1, counter: UInt64(counter)) }

    private func keeper(on host: HostDisk) throws -> Keeper<DiskAccess> {
        var state = try DurableState(Store.create(
            on: DiskAccess(host: host), cluster: 7, identity: 1, key: SipHash.Key(low: 1, high: 2), Self.geometry))
        try state.setRetention(Retention(count: 1))
        return Keeper(state, settleInterval: 2048)
    }

    private func note(_ change: (inout ArbiterFacts) -> Void, _ keeper: inout Keeper<DiskAccess>) {
        for _ in 0..<3 {
            do throws(StoreError) { return try keeper.note(change) } catch {}
        }
        Issue.record("a fact cannot be noted")
    }

    /// A round that failed anywhere, also behind its end, is durable after the next try; marks and facts too.
    @Test(arguments: [Fault.writeError, .createError, .deleteError])
    fileprivate func aRoundThatFailedIsPutAgain(fault: FaultyDisk<SimulatedDisk>.Fault) throws {
        var struck = 0
        for place in 0..<(fault == .writeError ? 80 : 8) {
            let host = HostDisk(tearsLastWrite: false, random: Generator(1))
            var keeper = try keeper(on: host)
            host.contents.await(fault, after: place)
            var wasDurable: [GlobalTime] = []
            for round in 1...Self.rounds {
                let time = Self.time(round)
                let label = round % 2 == 0 ? "r\(round)" : ""
                let mark = round % 3 == 0 ? keeper.mark(label, notBefore: time, now: 0) : nil
                for page in 0..<UInt32(3) {
                    let bytes = [UInt8](repeating: UInt8(round), count: Self.geometry.pageBytes)
                    keeper.put([.init(number: (page + UInt32(round)) % 8, version: time, bytes: bytes)])
                }
                if round % 5 == 0 { note({ $0.apply(.admitted(Station(1), incarnation: UInt32(round))) }, &keeper) }
                keeper.end(at: time, now: UInt64(round))
                while keeper.clean(budget: 512) {}
                if keeper.isFailing { _ = keeper.retry() }
                for case .durable(let time) in keeper.takeReports() { wasDurable.append(time) }
                try #require(keeper.isDurable && !keeper.isFailing && keeper.state.time == time, "\(place), \(round)")
                if let mark, case nil = keeper.outcome(of: mark) { Issue.record("\(place): no outcome of \(round)") }
            }
            #expect(wasDurable == (1...Self.rounds).map(Self.time))
            if host.contents.hasStruck { struck += 1 }
            host.contents.fault = nil
            let facts = keeper.state.facts
            let again = try DurableState(Store.open(DiskAccess(host: host)))
            let (found, time, labels) = (again.facts, again.time, again.store.checkpoints.map(\.label))
            #expect(found == facts && time == Self.time(Self.rounds) && labels.contains("r36"))
        }
        #expect(struck > 0)
    }

    /// What newer checkpoints have crowded out does not come back with the next life.
    @Test func whatIsCrowdedOutStaysAway() throws {
        let host = HostDisk(tearsLastWrite: false, random: Generator(1))
        var keeper = try keeper(on: host)
        for round in 1...5 {
            let mark = keeper.mark("", notBefore: Self.time(round), now: UInt64(round))
            keeper.put([.init(
                number: 0, version: Self.time(round), bytes: [UInt8](repeating: 1, count: Self.geometry.pageBytes))])
            keeper.end(at: Self.time(round), now: UInt64(round))
            if case .kept = keeper.outcome(of: mark) {} else { Issue.record("\(round) was not kept") }
        }
        host.killProcess()
        host.beginProcess()
        let again = try DurableState(Store.open(DiskAccess(host: host)))
        let times = again.store.checkpoints.map(\.time)
        #expect(times == [Self.time(5)])
    }

    /// Labels for more than the store can list are refused, until some are forgotten.
    @Test func thereIsAnEndOfLabels() throws {
        let host = HostDisk(tearsLastWrite: false, random: Generator(1))
        var keeper = try keeper(on: host)
        let most = Self.geometry.mostCheckpoints
        func outcome(_ round: Int, _ keeper: inout Keeper<DiskAccess>) -> String {
            let mark = keeper.mark("r\(round)", notBefore: Self.time(round), now: 0)
            let bytes = [UInt8](repeating: UInt8(round), count: Self.geometry.pageBytes)
            keeper.put([.init(number: 0, version: Self.time(round), bytes: bytes)])
            keeper.end(at: Self.time(round), now: UInt64(round))
            return switch keeper.outcome(of: mark) {
            case .kept: "kept"
            case .full(let count): "full of \(count)"
            case .taken, .elsewhere, nil: "neither"
            }
        }
        for round in 1...most { #expect(outcome(round, &keeper) == "kept") }
        #expect(outcome(most + 1, &keeper) == "full of \(most)")
        #expect(throws: StoreError.noCheckpoint) { try keeper.forget([Self.time(1), Self.time(999)]) }
        try keeper.forget([Self.time(1), Self.time(2)])
        #expect(outcome(most + 2, &keeper) == "kept")
        let again = try DurableState(Store.open(DiskAccess(host: host)))
        let labels = again.store.checkpoints.map(\.label)
        #expect(labels == (3...most).map { "r\($0)" } + ["r\(most + 2)"])
    }

    /// Wishes that were there before a label, or the last one that the store can list, was given away.
    @Test func labelsAreGivenOnce() throws {
        let host = HostDisk(tearsLastWrite: false, random: Generator(1))
        var keeper = try keeper(on: host)
        let most = Self.geometry.mostCheckpoints
        func end(_ round: Int, _ keeper: inout Keeper<DiskAccess>) {
            let bytes = [UInt8](repeating: UInt8(round), count: Self.geometry.pageBytes)
            keeper.put([.init(number: 0, version: Self.time(round), bytes: bytes)])
            keeper.end(at: Self.time(round), now: UInt64(round))
        }
        for round in 1..<most {
            _ = keeper.mark("r\(round)", notBefore: Self.time(round), now: 0)
            end(round, &keeper)
        }
        let marks = [("last", most), ("last", most + 1), ("more", most + 1), ("", most + 2)].map { label, round in
            keeper.mark(label, notBefore: Self.time(round), now: 0)
        }
        for round in most...most + 2 { end(round, &keeper) }
        guard case .kept(let last) = keeper.outcome(of: marks[0]), last.checkpoint.label == "last",
            case .elsewhere("last") = keeper.outcome(of: marks[1]),
            case .full(most) = keeper.outcome(of: marks[2]),
            case .kept(let plain) = keeper.outcome(of: marks[3]), plain.checkpoint.label.isEmpty
        else { Issue.record("other outcomes"); return }
        let found = keeper.state.store.checkpoints.dropFirst(most - 1).map { "\($0.label) \($0.isKept)" }
        // What nothing came of was not kept.
        #expect(found == ["last true", " true"] && plain.checkpoint.time == Self.time(most + 2))
    }

    /// Several may want the same state, at once or one after the other, each by a name of its own.
    @Test func aStateMayHaveSeveralLabels() throws {
        let host = HostDisk(tearsLastWrite: false, random: Generator(1))
        var keeper = try keeper(on: host)
        var marks = ["a", "b", "", "a"].map { keeper.mark($0, notBefore: Self.time(1), now: 5) }
        let bytes = [UInt8](repeating: 1, count: Self.geometry.pageBytes)
        keeper.put([.init(number: 0, version: Self.time(1), bytes: bytes)])
        keeper.end(at: Self.time(1), now: 5)
        marks.append(keeper.mark("c", notBefore: Self.time(1), now: 6))
        let outcomes: [[String]] = marks.map { mark in
            if case .kept(let kept) = keeper.outcome(of: mark) { kept.checkpoint.labels } else { [] }
        }
        #expect(outcomes == Array(repeating: ["a", "b"], count: 4) + [["a", "b", "c"]])
        let long = String(repeating: "x", count: Checkpoint.maximumLabelBytes - "a b c".utf8.count)
        let late = keeper.mark(long, notBefore: Self.time(1), now: 7)
        guard case .taken(let other) = keeper.outcome(of: late), other.label == "a b c" else {
            Issue.record("there is no room for another label")
            return
        }
        let again = try DurableState(Store.open(DiskAccess(host: host)))
        let found = again.store.checkpoint(labelled: "b")
        #expect(found?.time == Self.time(1) && found?.labels == ["a", "b", "c"] && found?.created == 5)
    }

    /// A fork that fails stops the store of its parent, which goes on all the same.
    @Test func aForkThatFailsIsNoticed() throws {
        let host = HostDisk(tearsLastWrite: false, random: Generator(1))
        var keeper = try keeper(on: host)
        let bytes = [UInt8](repeating: 1, count: Self.geometry.pageBytes)
        keeper.put([.init(number: 0, version: Self.time(1), bytes: bytes)])
        keeper.end(at: Self.time(1), now: 0)
        keeper.put([.init(number: 1, version: Self.time(2), bytes: bytes)])
        host.contents.await(.writeError, after: 0)
        let target = DiskAccess(host: HostDisk(tearsLastWrite: false, random: Generator(2)))
        do throws(StoreError) {
            _ = try keeper.state.fork(at: Self.time(1), into: target, cluster: 8, identity: 2)
            Issue.record("the fork did not fail")
        } catch {}
        let wasKnown = keeper.isFailing
        keeper.followUp()
        #expect(!wasKnown && keeper.isFailing)
        host.contents.fault = nil
        let isFailing = keeper.retry()
        keeper.end(at: Self.time(2), now: 0)
        #expect(!isFailing && keeper.isDurable && keeper.state.time == Self.time(2))
        let again = try DurableState(Store.open(DiskAccess(host: host)))
        let found = again.time
        #expect(found == Self.time(2))
    }

    /// Facts for which no room is left in a segment are refused, and nothing else fails over that.
    @Test func factsThatDoNotFitStopNothing() throws {
        let host = HostDisk(tearsLastWrite: false, random: Generator(1))
        var store = try Store.create(
            on: DiskAccess(host: host), cluster: 7, identity: 1, key: SipHash.Key(low: 1, high: 2), Self.geometry)
        try store.set([(99, [UInt8](repeating: 1, count: Self.geometry.segmentBytes / 2 - 1700))])
        var keeper = try Keeper(DurableState(store), settleInterval: 2048)
        var refusal: StoreError?
        for round in 1...60 {
            let bytes = [UInt8](repeating: UInt8(round), count: Self.geometry.pageBytes)
            keeper.put([.init(number: 0, version: Self.time(round), bytes: bytes)])
            keeper.end(at: Self.time(round), now: 0)
            do throws(StoreError) {
                try keeper.note { $0.apply(.opened(EpochRecord(epoch: $0.chain[0].epoch + 1, opened: .zero))) }
            } catch {
                refusal = error
            }
            #expect(!keeper.isFailing && keeper.isDurable)
        }
        #expect(refusal == .tooLarge && keeper.state.time == Self.time(60))
    }

    /// Lives that end in the middle of their first round leave the next one no more to read than the one before.
    @Test func aLifeReadsWhatTheLastOneWrote() throws {
        let host = HostDisk(tearsLastWrite: false, random: Generator(1))
        var keeper = try keeper(on: host)
        var longest = 0
        for life in 1...100 as ClosedRange<UInt32> {
            note({ $0.apply(.incarnation(life)) }, &keeper)
            for page in 0..<UInt32(8) {
                let bytes = [UInt8](repeating: UInt8(life), count: Self.geometry.pageBytes)
                keeper.put([.init(number: page, version: Self.time(1), bytes: bytes)])
            }
            try keeper.state.flush()
            host.beginProcess()
            let state = try DurableState(Store.open(DiskAccess(host: host)))
            longest = max(longest, state.store.recoveredBytes)
            keeper = Keeper(state, settleInterval: 2048)
        }
        #expect(longest < 3 * Self.geometry.segmentBytes)
    }
}
