import Control

/// Lets options stand before the command that they belong to: `plurix --json status`.
///
/// ArgumentParser wants them behind it. So the command's words are moved to the front; what stands behind `--` stays
/// where it is.
enum ArgumentOrder {
    /// Options that take the next argument as their value. `ArgumentOrderTests` compares the list with the commands.
    static let valued: Set<String> = [
        "--name", "--nodes", "--nic", "--memory", "--shared", "--accel", "--connect", "--mtu", "--image", "--key-file",
        "--timeout", "--history", "--store", "--from", "--at", "--keep", "--keep-for", "--checkpoint-every", "--label",
        "--directory",
    ]

    /// Commands that have commands of their own.
    static let nested: Set<String> = ["net", "store"]

    static func arranged(_ arguments: [String]) -> [String] {
        let end = arguments.firstIndex(of: "--") ?? arguments.endIndex
        var rest = Array(arguments[..<end])
        var front: [String] = []
        if let command = takeWord(&rest, into: &front), nested.contains(command) { takeWord(&rest, into: &front) }
        return front + rest + arguments[end...]
    }

    /// - Parameters:
    ///   - arguments: as `arranged` leaves them.
    ///   - commands: all, each with the commands that it has of its own.
    /// - Throws: `.usage` when the words in front are no command; one that is elsewhere is named.
    static func checkCommand(_ arguments: [String], among commands: [String: [String]]) throws {
        let words = arguments.prefix { !$0.hasPrefix("-") && $0 != "help" }
        guard let first = words.first else { return }
        let isKnown = commands[first].map { own in own.isEmpty || words.count == 1 || own.contains(words[1]) } ?? false
        guard !isKnown else { return }
        let wrong = commands[first] == nil ? [first] : Array(words.prefix(2)), last = wrong[wrong.count - 1]
        let nest = commands.first { $0.value.contains(last) }?.key
        let meant = commands[last] != nil ? last : nest.map { "\($0) \(last)" }
        throw Failure(
            .usage, "unknown command '\(wrong.joined(separator: " "))'",
            advice: meant.map { "it is plurix \($0)" } ?? "see plurix --help", at: "command line")
    }

    /// One value of several would count, and nobody be told which.
    ///
    /// - Throws: `.usage` for an option that is given two values.
    static func checkOptions(_ arguments: [String]) throws {
        var seen: Set<Substring> = []
        var words = arguments.prefix { $0 != "--" }
        while let word = words.popFirst() {
            let option = word.prefix { $0 != "=" }
            guard valued.contains(String(option)) else { continue }
            guard seen.insert(option).inserted else {
                throw Failure(.usage, "\(option) is given twice", advice: "give it once", at: String(option))
            }
            // Its value may look like an option.
            if option == word { words = words.dropFirst() }
        }
    }

    /// Moves the first argument that is neither an option nor an option's value.
    @discardableResult
    private static func takeWord(_ rest: inout [String], into front: inout [String]) -> String? {
        var index = 0
        while index < rest.count {
            if valued.contains(rest[index]) {
                index += 2
            } else if rest[index].hasPrefix("-") {
                index += 1
            } else {
                front.append(rest.remove(at: index))
                return front.last
            }
        }
        return nil
    }
}
