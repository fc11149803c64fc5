import Kernel

/// The programs of the node image.
public enum ProgramTable: ProgramSet {
    public static let count = 11

    public static func program(at index: Int) -> ProgramEntry {
        switch index {
        case 0: ProgramEntry(Counter.self)
        case 1: ProgramEntry(WordCount.self)
        case 2: ProgramEntry(Bank.self)
        case 3: ProgramEntry(Register.self)
        case 4: ProgramEntry(Matmul.self)
        case 5: ProgramEntry(Transfer.self)
        case 6: ProgramEntry(Scan.self)
        case 7: ProgramEntry(Spin.self)
        case 8: ProgramEntry(Hog.self)
        case 9: ProgramEntry(Fault.self)
        case 10: ProgramEntry(Fill.self)
        default: preconditionFailure("no program at this index")
        }
    }
}
