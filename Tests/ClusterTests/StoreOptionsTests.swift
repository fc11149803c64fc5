import ArgumentParser
import Control
import Foundation
import Testing

@testable import plurix

struct StoreOptionsTests {
    private let directory: RunDirectory
    private let base = "/tmp/plurix-options-test-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"

    init() throws {
        directory = try RunDirectory(name: "c", base: base + "/run")
    }

    private func plan(_ arguments: String...) throws -> StorePlan {
        let up = try #require(Plurix.parseAsRoot(ArgumentOrder.arranged(["up"] + arguments)) as? Up)
        return try up.store.plan(for: directory)
    }

    @Test func theStoreIsWhereItIsNamed() throws {
        #expect(try plan("--store", "/a/../b/").storage.directory == "/b")
        let here = FileManager.default.currentDirectoryPath
        #expect(try plan("--store", "x").storage.directory == here + "/x")
        #expect(try plan("--volatile").storage == .volatile(in: directory))
        #expect(try plan("--volatile").storage.directory == base + "/run/c/store")
        #expect(try plan("--store", "/s").beginning == .empty)
        let kept = try plan("--store", "/s", "--keep", "3", "--keep-for", "2h", "--checkpoint-every", "30s").storage
        #expect(kept.keepCount == 3 && kept.keepSeconds == 7200 && kept.checkpointSeconds == 30)
    }

    @Test func oneGoesOnWithAStoreOrBeginsWithACopy() throws {
        let on = try plan("--from", "/s")
        #expect(on.beginning == .continued && on.storage.directory == "/s")
        let copy = try plan("--from", "/s", "--at", "1:2", "--store", "/t")
        #expect(copy.beginning == .fork(of: "/s", at: "1:2") && copy.storage.directory == "/t")
        #expect(try plan("--from", "/s", "--store", "/t").beginning == .fork(of: "/s", at: nil))
        let volatile = try plan("--from", "/s", "--volatile")
        #expect(volatile.beginning == .fork(of: "/s", at: nil) && volatile.storage.isVolatile)
        #expect(try plan("--from", "/s", "--at", "a", "--new", "--store", "/s").isNew)
    }

    /// What is said of a plan before anything is changed.
    private func complaint(_ arguments: String...) throws -> String? {
        let up = try #require(Plurix.parseAsRoot(ArgumentOrder.arranged(["up"] + arguments)) as? Up)
        let plan = try up.store.plan(for: directory)
        do throws(Failure) { try plan.check(in: directory) } catch {
            #expect(error.kind == .input)
            #expect(error.advice != nil)
            return error.description
        }
        return nil
    }

    @Test func whatIsInTheWayIsNamed() throws {
        defer { try? FileManager.default.removeItem(atPath: base) }
        for folder in ["empty", "store", "other", "mount/lost+found"] {
            try FileManager.default.createDirectory(atPath: "\(base)/\(folder)", withIntermediateDirectories: true)
        }
        try Data().write(to: URL(filePath: base + "/store/superblock.0"))
        try Data().write(to: URL(filePath: base + "/other/letter.txt"))
        try Data().write(to: URL(filePath: base + "/file"))
        for name in ["empty", "missing", "mount"] { #expect(try complaint("--store", "\(base)/\(name)") == nil) }
        let exists = try #require(try complaint("--store", base + "/store"))
        #expect(exists.contains("--from \(base)/store") && exists.contains("--new"))
        #expect(try complaint("--store", base + "/store", "--new") == nil)
        #expect(try complaint("--store", base + "/other")?.contains("letter.txt") == true)
        #expect(try complaint("--store", base + "/other", "--new")?.contains("letter.txt") == true)
        #expect(try complaint("--store", base + "/file")?.contains("no directory") == true)
        #expect(try complaint("--from", base + "/store") == nil)
        #expect(try complaint("--from", base + "/empty")?.contains("no store in") == true)
        #expect(try complaint("--from", base + "/missing")?.contains("no directory") == true)
        #expect(try complaint("--from", base + "/file")?.contains("no directory") == true)
        let itself = try complaint("--from", base + "/store", "--at", "a", "--store", base + "/store")
        #expect(itself?.contains("--new") == true)
        #expect(try complaint("--from", base + "/store", "--at", "a", "--volatile") == nil)
    }

    /// `up` removes what an ended cluster of its name has left, and that may be a store.
    @Test func whatIsAboutToBeRemovedIsNoStore() throws {
        defer { try? FileManager.default.removeItem(atPath: base) }
        let left = directory.path + "/store"
        try FileManager.default.createDirectory(atPath: left, withIntermediateDirectories: true)
        try Data().write(to: URL(filePath: left + "/superblock.0"))
        try FileManager.default.createSymbolicLink(atPath: base + "/link", withDestinationPath: left)
        for arguments in [["--from", left], ["--from", base + "/link"], ["--from", left, "--store", base + "/s"]] {
            let up = try #require(Plurix.parseAsRoot(["up"] + arguments) as? Up)
            let plan = try up.store.plan(for: directory)
            let failure = #expect(throws: Failure.self) { try plan.check(in: directory) }
            #expect(failure?.kind == .input && failure?.message.contains("run directory") == true, "\(arguments)")
            #expect(failure?.advice?.contains("store export") == true)
        }
        let other = try RunDirectory(name: "d", base: base + "/run")
        let up = try #require(Plurix.parseAsRoot(["up", "--from", left, "--volatile"]) as? Up)
        try up.store.plan(for: other).check(in: other)
    }

    @Test func periodsThatAreNoneAreExplained() {
        for arguments in [["--keep-for", "-1h"], ["--checkpoint-every", "banana"], ["--keep-for=5"]] {
            do {
                _ = try Plurix.parseAsRoot(["up"] + arguments)
                Issue.record("\(arguments) was accepted")
            } catch {
                let words = Plurix.message(for: error)
                #expect(words.contains("as 30s, 5m, 1h or 2d") && words.contains("--"), "\(words)")
            }
        }
    }

    @Test func periodsThatAreTooLongAreToldTheRange() {
        for text in ["99999999999999999999d", "999999999d", "36501d"] {
            do {
                _ = try Plurix.parseAsRoot(["up", "--keep-for", text])
                Issue.record("\(text) was accepted")
            } catch {
                let words = Plurix.message(for: error)
                #expect(words.contains("at most 36500d") && !words.contains("whole number"), "\(words)")
            }
        }
        #expect(Period(argument: "36500d") != nil)
    }

    @Test func periods() {
        for (text, seconds) in [("30s", 30), ("5m", 300), ("1h", 3600), ("2d", 172_800), ("0s", 0)] {
            #expect(Period(argument: text)?.seconds == UInt64(seconds))
        }
        let wrong = ["", "s", "5", "-1s", "+1s", "1.5h", "1 h", "99999999999999999999s", "18446744073709551615d", "1y"]
        for text in wrong {
            #expect(Period(argument: text) == nil)
        }
    }

    @Test func noticesAreEvents() {
        let event = Events.Event("2026-11-21T06:55:25Z epoch 2 opened at commit 9; 1 undone: 10 by n2")
        #expect(event?.time == "2026-11-21T06:55:25Z")
        #expect(event?.text == "epoch 2 opened at commit 9; 1 undone: 10 by n2")
        #expect(Events.Event("") == nil)
    }

    @Test func checkpointsAreShownAsTheyAreNamed() {
        let reports = [
            CheckpointReport(time: 0, epoch: 1, counter: 9, created: 0, labels: ["a", "b"], isKept: true),
            CheckpointReport(
                time: 0, epoch: 2, counter: 3027, created: 1_795_000_000_000_000, labels: [], isKept: false),
        ]
        #expect(
            Checkpoints.table(reports).lines(width: 80) == [
                "TIME    TAKEN                 LABEL  KEPT", "1:9     1970-01-01T00:00:00Z  a b    yes",
                "2:3027  2026-11-18T11:06:40Z         newest",
            ])
    }
}
