import Foundation
import Testing

/// Unsafe has an address: the room Machine, and files that give a reason.
struct UnsafeTests {
    private let words = #/\b[Uu]nsafe\w*|withUnsafe\w*|Unmanaged|OpaquePointer|assumingMemoryBound/#

    /// How many lines above the use its reason may stand.
    private let reach = 30

    @Test(arguments: SourceTree.swift.filter { $0.room != nil && $0.room != "Machine" })
    func unsafeWordsHaveAReason(file: SourceTree.File) {
        for (index, line) in file.lines.enumerated() where SourceTree.File.code(of: line).contains(words) {
            let around = file.lines[max(0, index - reach)...min(file.lines.count - 1, index + 3)]
            let hasReason = around.contains { line in
                line.range(of: "//").map { line[$0.lowerBound...].contains(#/[Ss]afe/#) } ?? false
            }
            #expect(hasReason, "\(file.path):\(index + 1) is unsafe and gives no reason: \(line)")
        }
    }

    /// What programs and protocols are made of needs no unsafe word at all.
    @Test(
        arguments: SourceTree.swift.filter {
            ["Protocol", "Programs", "Simulation", "Store", "plurix"].contains($0.room ?? "")
        })
    func theseRoomsNeedNone(file: SourceTree.File) {
        for (index, line) in file.lines.enumerated() where SourceTree.File.code(of: line).contains(words) {
            Issue.record("\(file.path):\(index + 1) uses an unsafe word: \(line)")
        }
    }
}
