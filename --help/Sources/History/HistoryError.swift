/// Why a history cannot be read.
public enum HistoryError: Error, Equatable, Sendable, CustomStringConvertible {
    /// A line of a history file is wrong; line and column count from 1, the column in bytes.
    case text(line: Int, column: Int, String)
    /// A node's record is wrong; the offset counts bytes from the start of the node's file.
    case record(node: Int, offset: Int, String)

    public var description: String {
        switch self {
        case .text(let line, let column, let reason): "line \(line), column \(column): \(reason)"
        case .record(let node, let offset, let reason): "the record of n\(node) at byte \(offset): \(reason)"
        }
    }
}
