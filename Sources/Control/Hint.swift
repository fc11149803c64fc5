extension RunDirectory {
    /// A command as a message names it, ready to be typed: with the cluster's name unless it is the default.
    ///
    /// - Parameter words: such as "status" or "logs n1"; paths in it are `quoted`.
    public func hint(_ words: String) -> String {
        name == Self.defaultName ? "plurix \(words)" : "plurix \(words) --name \(name)"
    }
}

extension String {
    /// The text as one word of a shell's command line.
    public var quoted: String {
        let isPlain = !isEmpty && utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), 0x80...:
                true
            default: "/._-+,:@%=".utf8.contains(byte)
            }
        }
        guard !isPlain else { return self }
        // Nothing but its end is special between such quotes.
        return "'" + split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
    }
}
