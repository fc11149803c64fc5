import Foundation
import Testing

/// Style as a test: what a reader may rely on in every file.
struct TidyTests {
    /// A noun a file; longer ones are two nouns.
    private let longestFile = 500
    private let longestLine = 120

    @Test func thereIsSomethingToLookAt() {
        #expect(SourceTree.swift.count > 50)
    }

    @Test(arguments: SourceTree.files) func filesAndLinesFitAScreen(file: SourceTree.File) {
        #expect(file.lines.count <= longestFile, "\(file.path) has \(file.lines.count) lines")
        for (index, line) in file.lines.enumerated() where line.count > longestLine {
            Issue.record("\(file.path):\(index + 1) has \(line.count) columns")
        }
    }

    @Test(arguments: SourceTree.files) func nothingIsLeftForLater(file: SourceTree.File) throws {
        // Written so that this file does not find itself.
        let markers = try Regex(#"\b(TO"# + #"DO|FIX"# + #"ME|XX"# + #"X|HA"# + #"CK|unim"# + #"plemented)\b"#)
        for (index, line) in file.lines.enumerated() where line.contains(markers) {
            Issue.record("\(file.path):\(index + 1) has a leftover marker: \(line)")
        }
    }

    @Test(arguments: SourceTree.files) func noTabsAndNoTrailingSpaces(file: SourceTree.File) {
        let mayHaveTabs = file.path.hasSuffix(".mk")
        for (index, line) in file.lines.enumerated() {
            if line.last == " " || (line.contains("\t") && !mayHaveTabs) {
                Issue.record("\(file.path):\(index + 1) has a tab or ends with a space")
            }
        }
    }

    /// A test that failed can be run again as it was: what it draws comes from a seed.
    @Test(arguments: SourceTree.swift.filter { $0.path.hasPrefix("Tests/") })
    func testsDrawFromSeeds(file: SourceTree.File) throws {
        // Written so that this file does not find itself.
        let unseeded = try Regex(#"System"# + #"RandomNumberGenerator|shuffled?\(\)|randomElement\(\)"#)
        for (index, line) in file.lines.enumerated() where line.contains(unseeded) {
            Issue.record("\(file.path):\(index + 1) draws without a seed: \(line)")
        }
    }

    /// Rooms that also compile into the image: no conditions, no copies.
    @Test(arguments: SourceTree.swift.filter { Rooms.image.contains($0.room ?? "") })
    func pureRoomsCompileUnchangedEverywhere(file: SourceTree.File) {
        for (index, line) in file.lines.enumerated() where line.hasPrefix("#if") {
            Issue.record("\(file.path):\(index + 1) compiles only somewhere: \(line)")
        }
    }
}
