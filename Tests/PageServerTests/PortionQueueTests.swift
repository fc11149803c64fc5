import Dispatch
import Foundation
import Testing

@testable import PageServer

@Suite struct PortionQueueTests {
    /// Who reads waits for who takes, and not for one who takes no more.
    @Test func itHoldsLittle() async {
        let queue = PortionQueue()
        let (answers, answer) = AsyncStream.makeStream(of: Bool.self)
        Thread {
            for _ in 0..<18 { answer.yield(queue.put(ImageReader.Portion())) }
            answer.finish()
        }.start()
        var heard = answers.makeAsyncIterator()
        for _ in 0..<16 { #expect(await heard.next() == true) }
        // The seventeenth waits: no more than sixteen can be taken.
        #expect(queue.takeAll().count == 16)
        for _ in 0..<2 { #expect(await heard.next() == true) }
        #expect(queue.takeAll().count == 2)
    }

    @Test func itEnds() async {
        let queue = PortionQueue()
        let (answers, answer) = AsyncStream.makeStream(of: Bool.self)
        Thread {
            for _ in 0..<17 { answer.yield(queue.put(ImageReader.Portion())) }
            answer.finish()
        }.start()
        var heard = answers.makeAsyncIterator()
        for _ in 0..<16 { #expect(await heard.next() == true) }
        queue.close()
        #expect(await heard.next() == false)
    }
}
