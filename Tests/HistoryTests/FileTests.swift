import Testing
import Wire

@testable import History

struct FileTests {
    private func bytes(_ history: History) -> [UInt8] {
        var writer = HistoryWriter()
        writer.append(history)
        return writer.takeBytes()
    }

    /// The place of the error in lines, each of which is written with ' for ".
    private func place(_ lines: String...) -> String {
        let text = lines.joined(separator: "\n").replacing("'", with: "\"")
        do throws(HistoryError) {
            let history = try HistoryReader.read(Array(text.utf8))
            return "no error in \(history.transactions.count) transactions"
        } catch {
            guard case .text(let line, let column, let reason) = error else { return "\(error)" }
            return "\(line):\(column) \(reason)"
        }
    }

    private let first = "{'node':'arbiter','event':'saved','commitTime':'1.0','beginNanoseconds':5,'endNanoseconds':9}"
    private let last =
        "{'node':'arbiter','event':'saved','commitTime':'1.1','beginNanoseconds':5,'endNanoseconds':99}\n"
    private let begin = "{'transaction':'n1.1','node':'n1','event':'begin','beginNanoseconds':10}"
    private let commit =
        "{'transaction':'n1.1','node':'n1','event':'commit','commitTime':'1.1','endNanoseconds':20}"

    @Test(arguments: 0..<50) func thereAndBack(seed: Int) throws {
        var history = RandomHistory(seed: UInt64(seed), transactions: 30).history
        history.beginNanoseconds = 100
        history.saved[0].nanoseconds = 100
        history.clockError = 17
        if let writer = history.transactions.firstIndex(where: \.isWriter) {
            history.transactions[writer].hasUnlistedReads = true
            history.transactions[writer].hasUnlistedWrites = true
        }
        var lost = transaction("n9.1", 50, 50)
        lost.outcome = .unknown
        history.transactions.append(lost)
        #expect(try HistoryReader.read(bytes(history)) == history)
    }

    @Test func theLinesAreAsDocumented() throws {
        let one = transaction(
            "n1.1", 10, 20, at: GlobalTime(1, 1), reads: [(7, .zero, 0)], writes: [(7, 0xAB)])
        let text = String(decoding: bytes(history(one)), as: UTF8.self).split(separator: "\n")
        #expect(text[1] == #"{"transaction":"n1.1","node":"n1","event":"begin","beginNanoseconds":10}"#)
        #expect(text[2] == #"{"transaction":"n1.1","node":"n1","event":"read","key":7,"value":"0","version":"0.0"}"#)
        #expect(text[3] == #"{"transaction":"n1.1","node":"n1","event":"write","key":7,"value":"ab"}"#)
        #expect(
            text[4] == #"{"transaction":"n1.1","node":"n1","event":"commit","commitTime":"1.1","endNanoseconds":20}"#)
    }

    @Test func aRightFile() {
        #expect(place(first, begin, commit, last) == "no error in 1 transactions")
    }

    @Test func whatIsNoJSON() {
        #expect(place("") == "1:1 the file is empty: there is no event")
        #expect(place("[]") == "1:1 expected an object, beginning with {")
        #expect(place(first + "x", last) == "1:94 nothing may follow the object on its line")
        #expect(place(first, "{'node':'n1' 'event':'begin'}", last) == "2:14 expected , or }")
        #expect(place(first, "", last) == "2:1 expected an object, beginning with {")
    }

    @Test func truncatedFiles() {
        #expect(place(String(first.dropLast(20))).contains("truncated"))
        #expect(place(first).hasSuffix("the file is truncated: its last line does not end"))
        #expect(place(first, begin, commit, "").contains("truncated: it does not end with saved"))
        #expect(place(first, begin, last) == "2:1 the end of n1.1 is missing: there is no commit or abort")
    }

    @Test func wrongMembers() {
        #expect(place(first, begin.replacing("10", with: "'10'"), commit, last)
            == "2:70 beginNanoseconds must be a whole number below 2^64")
        #expect(place(first, begin.replacing("10", with: "-1"), last).contains("whole number"))
        #expect(place(first, begin.replacing("10", with: "1.5"), last).contains("whole number"))
        #expect(place(first, begin.replacing("10", with: "99999999999999999999"), last).contains("whole number"))
        #expect(place(first, begin, commit.replacing("1.1'", with: "1'"), last).contains("an epoch, a dot"))
        #expect(place(first, begin.replacing("}", with: ",'size':1}"), last)
            == "2:73 an event has no member \"size\"")
        #expect(place(first, begin.replacing("}", with: ",'node':'n1'}"), last)
            == "2:73 the member \"node\" is repeated")
        #expect(place(first, begin.replacing("}", with: ",'key':1}"), last) == "2:79 a begin has no key here")
        #expect(place(first, begin.replacing("begin'", with: "began'"), last) == "2:43 there is no event \"began\"")
        #expect(place(first, "{'transaction':'n1.1','event':'begin','beginNanoseconds':1}", last)
            == "2:1 the member \"node\" is missing")
        #expect(place(first, begin.replacing("n1.1", with: "n\\u00311"), last).contains("without backslashes"))
    }

    @Test func impossibleEvents() {
        #expect(place(begin, last) == "1:43 a history begins with saved")
        #expect(place(first, commit, last) == "2:16 n1.1 has not begun: its begin is missing")
        #expect(place(first, begin, begin, last) == "3:16 n1.1 begins again: the event is repeated")
        #expect(place(first, begin, commit, commit, last).contains("has ended already"))
        #expect(place(first, begin, commit.replacing("20", with: "9"), last).contains("ends before it begins"))
        #expect(place(first, begin, commit.replacing("'n1'", with: "'n2'"), last) == "3:30 n1.1 began on n1")
        let undone = "{'transaction':'n1.1','node':'n1','event':'undone','commitTime':'1.2'}"
        #expect(place(first, begin, commit, undone, last) == "4:65 n1.1 committed at 1.1")
        let read = "{'transaction':'n1.1','node':'n1','event':'read','key':3,'value':'a','version':'0.0'}"
        #expect(place(first, begin, read, read, commit, last).contains("repeated event: read of 3"))
        let opening = "{'node':'arbiter','event':'undone','version':'1.5','commitTime':'2.6'}"
        #expect(place(first, opening, last).contains("same counter"))
    }

    /// Every prefix of a right file is refused, and no flipped byte crashes the reader.
    @Test func hostileBytes() {
        let right = bytes(RandomHistory(seed: 3, transactions: 6).history)
        for count in stride(from: 0, to: right.count, by: 3) {
            #expect(throws: HistoryError.self) { try HistoryReader.read(Array(right[..<count])) }
        }
        var generator = Generator(1)
        for _ in 0..<1000 {
            var spoilt = right
            for _ in 0..<3 { spoilt[generator.below(spoilt.count)] = UInt8(generator.below(256)) }
            if let history = try? HistoryReader.read(spoilt) { _ = Checker.check(history) }
        }
    }
}
