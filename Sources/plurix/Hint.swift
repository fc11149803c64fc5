import Control

extension RunDirectory {
    /// A command as a message names it, ready to be typed: with the cluster's name unless it is the default.
    ///
    /// - Parameter words: such as "status" or "logs n1".
    func hint(_ words: String) -> String {
        name == "plurix" ? "plurix \(words)" : "plurix \(words) --name \(name)"
    }
}
