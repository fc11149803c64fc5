import Heap
import Programs

@testable import Kernel

extension Target {
    /// The arguments of every program of the image, as the host checks them and as a node takes them.
    static let arguments = Target("arguments", longest: 3000) { bytes in
        var input = Input(bytes)
        let program = ProgramTable.program(at: input.below(ProgramTable.count))
        // An argument ends at a line's end: so the fuzzer's dictionary of words is of use.
        let lines = input.rest().split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        let texts = lines.map { [UInt8]($0) }
        do throws(ArgumentError) {
            try program.check(texts)
            // What the host accepts is short enough to be sent.
            guard let start = try? JobStart(number: 1, participants: 1, programName: Array("p".utf8), arguments: texts,
                                            inputByteCount: 0)
            else { broken("arguments that were checked can be sent") }
            require(Command.startJob(start).encode().count <= Command.maximumByteCount, "a command has a largest size")
        } catch {
            checkSentence(error, texts)
        }
    }

    /// What the host says of an error names something that is there.
    private static func checkSentence(_ error: ArgumentError, _ texts: [[UInt8]]) {
        switch error {
        case .missing, .missingValue, .notANumber, .unknownValue: break
        case .outOfRange(_, let least, let most): require(least <= most, "a range is not empty")
        case .unexpected(let index): require(index < texts.count, "an unexpected argument is there")
        case .tooMany:
            let bytes = texts.reduce(0) { $0 + 2 + $1.count }
            require(texts.count > Arguments.maximumCount || bytes > JobPlaces.argumentLimit, "there are too many")
        }
    }
}
