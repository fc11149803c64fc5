import Control
import Testing

@testable import Cluster

@Suite struct AttendanceTests {
    private let start = ContinuousClock.now

    @Test func whoIsStoppedIsNamedOnceAndSoIsItsGoingOn() {
        var attendance = Attendance(of: 7)
        func look(_ isStopped: Bool, after milliseconds: Int) -> String? {
            attendance.looked(
                at: 7, "the segment", isStopped: isStopped, now: start + .milliseconds(milliseconds))
        }
        // A debugger's moment.
        #expect(look(true, after: 0) == nil && look(true, after: 900) == nil && look(false, after: 950) == nil)
        #expect(look(true, after: 1000) == nil && look(true, after: 1950) == nil && attendance.trouble == nil)
        #expect(look(true, after: 2000) == "the segment is stopped; let it go on: kill -CONT 7")
        #expect(look(true, after: 2050) == nil && attendance.trouble?.advice?.contains("kill -CONT 7") == true)
        #expect(look(false, after: 9000) == "the segment goes on")
        #expect(look(false, after: 9050) == nil && attendance.trouble == nil)
    }

    @Test func whoHangsIsNamedAndNotWhoIsStopped() {
        var attendance = Attendance(of: 7)
        func ask(_ hasAnswered: Bool) -> String? {
            attendance.asked(7, "the page server", hasAnswered: hasAnswered, within: .seconds(30), log: "/log")
        }
        #expect(ask(true) == nil)
        let words = ask(false)
        #expect(words?.hasPrefix("the page server has answered nothing for 30 s; see /log") == true)
        #expect(words?.contains("kill -KILL 7") == true && attendance.trouble != nil)
        #expect(ask(false) == nil)
        #expect(ask(true) == "the page server goes on" && attendance.trouble == nil)
        #expect(attendance.looked(at: 7, "it", isStopped: true, now: start) == nil)
        #expect(ask(false) == nil && attendance.trouble == nil)
    }

    /// What is known of one process says nothing of its successor.
    @Test func anotherProcessBeginsAnew() {
        var attendance = Attendance(of: 7)
        _ = attendance.asked(7, "it", hasAnswered: false, within: .seconds(30), log: "")
        #expect(attendance.trouble != nil)
        #expect(attendance.looked(at: 8, "it", isStopped: false, now: start) == nil && attendance.trouble == nil)
        #expect(attendance.asked(7, "it", hasAnswered: false, within: .seconds(30), log: "") == nil)
        #expect(attendance.trouble == nil)
    }
}
