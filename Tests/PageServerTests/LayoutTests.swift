import Control
import Heap
import Kernel
import Testing
import Wire

@testable import PageServer

/// A memory that another build has saved.
@Suite struct LayoutTests {
    /// A saved memory: page 0 tells its format, page 2 of a job.
    static func image(
        root: UInt32 = 1, phase: JobPhase = .running, program: String = "counter", format: UInt8 = 1
    ) -> SharedImage {
        var image = SharedImage(pageCount: 128)
        var page = [UInt8](repeating: 0, count: Limits.pageBytes)
        page.replaceSubrange(0..<6, with: Array("PLURIX".utf8))
        page[8] = UInt8(root)
        page[12] = 128
        page[16] = 72
        image.set(0, to: page)
        var job = [UInt8](repeating: 0, count: Limits.pageBytes)
        job[0] = 7
        job[8] = UInt8(phase.rawValue)
        job[48] = UInt8(program.utf8.count)
        job[60] = format
        job.replaceSubrange(64..<64 + program.utf8.count, with: Array(program.utf8))
        image.set(2, to: job)
        image.close(at: GlobalTime(epoch: 1, counter: 9))
        return image
    }

    @Test func whatThisBuildLaidOutIsTaken() throws {
        try Self.image().checkLayout(of: "store")
        // A job that has not begun, one of a program that is gone, and one that has ended have nothing to be misread.
        try Self.image(format: 0).checkLayout(of: "store")
        try Self.image(program: "abacus", format: 9).checkLayout(of: "store")
        try Self.image(phase: .finished, program: "abacus", format: 9).checkLayout(of: "store")
        try SharedImage(pageCount: 128).checkLayout(of: "store")
    }

    @Test func otherTypesAreRefusedByName() {
        let cases: [(SharedImage, String)] = [
            (Self.image(root: 2), "store: the type Root of its memory has format 2, and this build knows 1"),
            (
                Self.image(format: 2),
                "store: the program counter was at work, whose memory has format 2, and this build knows 1"
            ),
        ]
        for (image, message) in cases {
            let failure = #expect(throws: Failure.self) { try image.checkLayout(of: "store") }
            #expect(failure?.kind == .input)
            #expect(failure?.message == message)
        }
    }
}
