extension RunDirectory {
    /// A command as a message names it, ready to be typed: with the cluster's name unless it is the default.
    ///
    /// - Parameter words: such as "status" or "logs n1".
    public func hint(_ words: String) -> String {
        name == Self.defaultName ? "plurix \(words)" : "plurix \(words) --name \(name)"
    }
}
