import Control
import Heap
import Kernel
import Wire

@testable import PageServer

extension Target {
    /// What the host reads of a job from the saved memory, which any program may have overwritten with anything.
    static let jobState = Target("jobstate", longest: 1024) { bytes in
        var input = Input(bytes)
        var image = SharedImage(pageCount: pageCount)
        var reader = JobReader(number: 1, participants: input.number() | 1)
        for _ in 0..<4 where !input.isEmpty {
            damage(&image, &input)
            reader.read(image)
            check(reader)
        }
    }

    private static let pageCount = 128

    /// Writes some numbers where the records lie, and some pages that look like blocks of a stream.
    private static func damage(_ image: inout SharedImage, _ input: inout Input) {
        write(1 as UInt64, page: SystemLayout.jobPage, at: 0, &image)
        write(UInt32(input.below(6)), page: SystemLayout.jobPage, at: 8, &image)
        for _ in 0..<input.below(24) {
            let part = SystemLayout.partPage(of: UInt32(1 + input.below(64)))
            let pages = [SystemLayout.jobPage, SystemLayout.completionPage, SystemLayout.commonPage,
                         SystemLayout.partPage(of: 1), part, 72, 73, 74]
            let page = pages[input.below(pages.count)]
            let place = 4 * input.below(48)
            switch input.below(4) {
            case 0: write(1 as UInt64, page: page, at: place, &image)
            case 1: write(input.number(UInt64.self), page: page, at: place, &image)
            case 2: write(UInt32(72 + input.below(3)), page: page, at: place, &image)
            default: write(UInt32(input.byte()), page: page, at: place, &image)
            }
        }
    }

    private static func write<Number: FixedWidthInteger>(_ number: Number, page: UInt32, at place: Int,
                                                         _ image: inout SharedImage) {
        guard var bytes = image.bytes(of: page) else { preconditionFailure("no page is late") }
        for index in 0..<MemoryLayout<Number>.size {
            bytes[place + index] = UInt8(truncatingIfNeeded: number >> Number(8 * index))
        }
        image.set(page, to: bytes)
    }

    /// No stream is longer than the memory that it lies in.
    private static func check(_ reader: JobReader) {
        let memory = pageCount * Limits.pageBytes
        require(reader.result.count <= memory, "a result lies in the memory: \(reader.result.count) bytes")
        for node in Set(reader.output.map(\.node)) {
            let bytes = reader.output.filter { $0.node == node }.reduce(0) { $0 + $1.text.utf8.count }
            // A byte that is no UTF-8 becomes a character of three.
            require(bytes <= 3 * 4 * memory, "what a node printed lies in the memory: \(bytes) bytes")
        }
    }
}
