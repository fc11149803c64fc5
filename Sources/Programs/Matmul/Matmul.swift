import Heap
import Kernel

/// C = A·B of N × N numbers of 64 bits that wrap around, rows divided over the nodes.
///
/// A(i, j) = mix(i·N + j + 1) and B(i, j) = mix(2^32 + i·N + j + 1), where `mix` is SplitMix64's output
/// function; the checksum is the sum of C(i, j) · (i·N + j + 1), all modulo 2^64. B is stored by
/// columns, so that a row times a column reads both in a row.
public struct Matmul: Program {
    public static let name: StaticString = "matmul"
    public static let usage: StaticString = "N"
    public static let summary: StaticString = "the product of two N x N matrices, rows divided over the nodes"

    /// A transaction reads all of B: 313 pages at the largest N, 8 bytes a number.
    public static let maximumSize: UInt64 = 400
    /// Rows that one transaction computes or sets up.
    private static let rowsPerStep: UInt64 = 8

    /// The three matrices, and how far the phase at hand is, in rows.
    struct Matrices: BitwiseCopyable {
        var a: SharedArray<UInt64>
        var b: SharedArray<UInt64>
        var c: SharedArray<UInt64>
        var preparedRows: UInt64
    }

    /// What one node did: its next row, and the sum over the rows before.
    struct Progress: BitwiseCopyable {
        var rows: UInt64
        var checksum: UInt64
    }

    let size: UInt64

    public init(_ arguments: inout Arguments) throws(ArgumentError) {
        size = try arguments.unsigned("N", in: 1...Self.maximumSize)
    }

    public static func a(_ row: UInt64, _ column: UInt64, size: UInt64) -> UInt64 {
        mix(row * size + column + 1)
    }

    public static func b(_ row: UInt64, _ column: UInt64, size: UInt64) -> UInt64 {
        mix(1 << 32 + row * size + column + 1)
    }

    public func prepare(_ context: Context) throws(HeapError) -> Step {
        let memory = context.memory, common = context.common(Matrices.self)
        if memory[common].a.count == 0 {
            memory[common] = Matrices(
                a: try allocate(context), b: try allocate(context), c: try allocate(context), preparedRows: 0)
        }
        let matrices = memory[common]
        let rows = matrices.preparedRows..<min(matrices.preparedRows + Self.rowsPerStep, size)
        for row in rows {
            for column in 0..<size {
                memory[matrices.a[row * size + column]] = Self.a(row, column, size: size)
                // Row `row` of what is stored is column `row` of B.
                memory[matrices.b[row * size + column]] = Self.b(column, row, size: size)
            }
        }
        memory[common].preparedRows = rows.upperBound
        return rows.upperBound < size ? .again : .done
    }

    public func step(_ context: Context) throws(HeapError) -> Step {
        let memory = context.memory, progress = context.own(Progress.self)
        let matrices = memory[context.common(Matrices.self)]
        let mine = rows(of: context.rank, context.count)
        var done = memory[progress]
        for _ in 0..<Self.rowsPerStep where done.rows < UInt64(mine.count) {
            done.checksum &+= computeRow(mine.lowerBound + done.rows, matrices, memory)
            done.rows += 1
        }
        memory[progress] = done
        return done.rows < UInt64(mine.count) ? .again : .done
    }

    public func finish(_ context: Context) throws(HeapError) -> Step {
        var total = Progress(rows: 0, checksum: 0)
        for rank in 0..<context.count {
            guard let part = context.own(of: rank, Progress.self) else { continue }
            total.rows += part.rows
            total.checksum &+= part.checksum
        }
        guard total.rows == size else { return .failed("a node died, and its rows are missing") }
        let result = context.result
        try result.beginObject()
        try result.field("size", size)
        try result.field("checksum", total.checksum)
        try result.endObject()
        return .done
    }

    private func allocate(_ context: Context) throws(HeapError) -> SharedArray<UInt64> {
        let pageCount = (size * size * 8 - 1) / pageByteCount + 1
        return SharedArray(start: try context.allocator.allocatePages(UInt32(pageCount)), count: size * size)
    }

    private func rows(of rank: UInt32, _ count: UInt32) -> Range<UInt64> {
        size * UInt64(rank) / UInt64(count)..<size * UInt64(rank + 1) / UInt64(count)
    }

    /// Computes one row of C and returns its share of the checksum.
    private func computeRow(_ row: UInt64, _ matrices: Matrices, _ memory: SharedMemory) -> UInt64 {
        var checksum: UInt64 = 0
        for column in 0..<size {
            var sum: UInt64 = 0
            for index in 0..<size {
                sum &+= memory[matrices.a[row * size + index]] &* memory[matrices.b[column * size + index]]
            }
            memory[matrices.c[row * size + column]] = sum
            checksum &+= sum &* (row * size + column + 1)
        }
        return checksum
    }
}
