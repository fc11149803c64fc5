import Foundation
import Testing

@testable import PageServer

@Suite struct PortionQueueTests {
    private let queue = PortionQueue()
    private static let capacity = 16

    /// Puts so many, one after the other, and tells what came of each; all that have room have been put when this
    /// returns.
    private func put(_ count: Int) async -> AsyncStream<Bool>.Iterator {
        let (answers, answer) = AsyncStream.makeStream(of: Bool.self)
        Thread { [queue] in
            for _ in 0..<count { answer.yield(queue.put(ImageReader.Portion())) }
            answer.finish()
        }.start()
        var heard = answers.makeAsyncIterator()
        for _ in 0..<Self.capacity { #expect(await heard.next() == true) }
        return heard
    }

    /// Who reads waits for who takes.
    @Test func itHoldsLittle() async {
        var heard = await put(Self.capacity + 2)
        #expect(queue.takeAll().count == Self.capacity)
        for _ in 0..<2 { #expect(await heard.next() == true) }
        #expect(queue.takeAll().count == 2)
    }

    /// Nobody waits for one who takes no more.
    @Test func itEnds() async {
        var heard = await put(Self.capacity + 1)
        queue.close()
        #expect(await heard.next() == false)
    }
}
