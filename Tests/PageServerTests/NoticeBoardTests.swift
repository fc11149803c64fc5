import Control
import Glibc
import Logging
import Protocol
import Testing
import Wire

@testable import PageServer

@Suite struct NoticeBoardTests {
    private func board(_ file: String? = nil) -> NoticeBoard {
        let quiet = Logger(label: "quiet") { _ in SwiftLogNoOpLogHandler() }
        return NoticeBoard(build: BuildIdentifier(low: 1, high: 2), file: file.map { NoticeFile($0) }, logger: quiet)
    }

    @Test func undoneCommitsAreNamed() {
        var notices = board()
        for (counter, node) in [(6, 2), (7, 2), (8, 1), (9, 2)] as [(UInt64, UInt8)] {
            notices.post(.undone(GlobalTime(epoch: 1, counter: counter), by: Station(node)), now: 0)
        }
        let opened = EpochRecord(epoch: 2, opened: GlobalTime(epoch: 1, counter: 5))
        notices.post(.opened(opened, undone: 4), now: 0)
        notices.post(.opened(opened, undone: 0), now: 0)
        #expect(notices.texts.first?.hasSuffix("opened at commit 5; 4 undone: 6…7 by n2, 8 by n1, 9 by n2") == true)
        #expect(notices.texts.last?.hasSuffix("nothing was undone") == true)
    }

    @Test func theSameRefusalIsToldOnce() {
        var notices = board()
        let other = BuildIdentifier(low: 9, high: 9)
        for _ in 0..<3 { notices.post(.refused(Station(4), .build, build: other), now: 0) }
        #expect(notices.texts.count == 1)
        #expect(notices.refusals[4]?.contains("09000000000000000900000000000000") == true)
        notices.post(.joined(Station(4), incarnation: 3), now: 0)
        #expect(notices.refusals.isEmpty)
    }

    /// Both make an epoch.
    @Test func whoLeftInOrderHasNotDied() {
        var notices = board()
        notices.left(2)
        for node in [Station(2), Station(3)] { notices.post(.polling(epoch: 2, .died(node)), now: 0) }
        #expect(notices.texts[0].hasSuffix("epoch 2 is prepared: n2 left"))
        #expect(notices.texts[1].hasSuffix("epoch 2 is prepared: n3 died"))
        notices.post(.joined(Station(2), incarnation: 4), now: 0)
        notices.post(.polling(epoch: 3, .died(Station(2))), now: 0)
        #expect(notices.texts[3].hasSuffix("epoch 3 is prepared: n2 died"))
    }

    @Test func theListIsBounded() {
        var notices = board()
        for number in 0..<500 { notices.post("notice \(number)") }
        #expect(notices.texts.count == NoticeBoard.limit)
        #expect(notices.texts.last?.hasSuffix("notice 499") == true)
        for _ in 0..<1000 { notices.post(.unauthentic, now: 5) }
        #expect(notices.texts.filter { $0.contains("wrong cluster key?") }.count == 1)
    }

    @Test func theNextArbiterGoesOnWithThem() {
        let file = "/tmp/plurix-notices-test-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"
        defer { unlink(file) }
        var first = board(file)
        for number in 0..<(NoticeBoard.limit + 1) { first.post("notice \(number)") }
        var second = board(file)
        #expect(second.texts == first.texts)
        second.post("and one more")
        #expect(board(file).texts == second.texts)
    }
}
