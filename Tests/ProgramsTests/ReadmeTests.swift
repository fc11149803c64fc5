import Foundation
import Kernel
import Testing

@testable import Programs

/// The programs of the image, and the README's own example.
enum TestedPrograms: ProgramSet {
    static let count = ProgramTable.count + 1

    static func program(at index: Int) -> ProgramEntry {
        index < ProgramTable.count ? ProgramTable.program(at: index) : ProgramEntry(Dice.self)
    }
}

/// What the README tells a newcomer to write compiles and works.
@Suite struct ReadmeTests {
    private static let here = URL(filePath: #filePath).deletingLastPathComponent()

    @Test func theExampleIsTheOneThatIsCompiled() throws {
        let readme = try String(contentsOf: Self.here.appending(path: "../../README.md"), encoding: .utf8)
        let program = try String(contentsOf: Self.here.appending(path: "Dice.swift"), encoding: .utf8)
        #expect(readme.contains("```swift\n\(program)```"))
        // Where the next program is entered.
        #expect(readme.contains("case \(ProgramTable.count): ProgramEntry(Dice.self)"))
    }

    @Test(arguments: UInt64(1)...5) func theExampleCounts(seed: UInt64) throws {
        let cluster = SimulatedCluster(nodes: 3, seed: seed)
        #expect(try cluster.run("dice", ["100"]) == .finished)
        let digits = cluster.result.split { !$0.isNumber }
        #expect(digits.count == 6)
        #expect(digits.compactMap { Int($0) }.reduce(0, +) == 300)
    }
}
