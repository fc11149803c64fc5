import Cluster
import Control
import Foundation
import Kernel
import Programs

/// A program with arguments that were checked before anything starts.
struct ProgramRequest {
    let program: String
    let arguments: [String]
    /// Absolute path of the file whose bytes go into shared memory.
    let input: String?

    /// - Throws: `.input` for an unknown program or an unusable file, `.usage` for arguments that it does not take.
    init(_ program: String, _ arguments: [String]) throws(Failure) {
        guard let entry = ProgramList.entries.first(where: { $0.name.text == program }) else {
            let known = ProgramList.entries.map(\.name.text).joined(separator: ", ")
            throw Failure(.input, "there is no program \"\(program)\"", advice: "there are \(known)", at: program)
        }
        var rest = arguments
        input = try entry.takesFile ? Self.file(&rest, program) : nil
        do throws(ArgumentError) { try entry.check(rest.map { Array($0.utf8) }) } catch {
            throw Failure(
                .usage, "\(program): \(Self.words(error, rest))",
                advice: "usage: plurix run \(program) \(entry.usage.text)", at: program)
        }
        self.program = program
        self.arguments = rest
    }

    private static func file(_ arguments: inout [String], _ program: String) throws(Failure) -> String {
        guard let place = arguments.firstIndex(where: { !$0.hasPrefix("--") }) else {
            throw Failure(.usage, "\(program) needs a FILE", advice: "usage: plurix run \(program) FILE", at: program)
        }
        let path = URL(filePath: arguments.remove(at: place)).standardizedFileURL.path(percentEncoded: false)
        try checkReadable(path, "the file")
        return path
    }

    private static func words(_ error: ArgumentError, _ arguments: [String]) -> String {
        switch error {
        case .missing(let name): "\(name.text) is missing"
        case .missingValue(let name): "\(name.text) needs a value"
        case .notANumber(let name): "\(name.text) must be a whole number"
        case .outOfRange(let name, let least, let most): "\(name.text) must lie between \(least) and \(most)"
        case .unknownValue(let name): "\(name.text) has an unknown value"
        case .unexpected(let index): "\"\(arguments[index])\" is not an argument that it takes"
        case .tooMany: "there are too many arguments"
        }
    }
}
