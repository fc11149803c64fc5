import Control
import Foundation
import Store
import Testing
import Wire

@testable import PageServer

struct CheckpointReportTests {
    /// Several labels were one string.
    @Test func whoReadsJSONNeedNotTakeLabelsApart() throws {
        let both = Checkpoint(time: GlobalTime(epoch: 1, counter: 9), created: 7, label: "a b", isKept: true)
        let none = Checkpoint(time: GlobalTime(epoch: 1, counter: 9), created: 7, isKept: false)
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        let words = [(both, #""isKept":true,"labels":["a","b"]"#), (none, #""isKept":false,"labels":[]"#)]
        for (checkpoint, part) in words {
            let report = CheckpointReport(checkpoint)
            let text = String(decoding: try encoder.encode(report), as: UTF8.self)
            #expect(text == #"{"counter":9,"created":7,"epoch":1,\#(part),"time":\#(report.time)}"#)
            #expect(Checkpoint(report) == checkpoint)
        }
        #expect(CheckpointReport(both).title == "1:9 (a b)")
    }
}
