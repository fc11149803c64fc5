import Control
import Store
import Wire

/// How people name checkpoints: by a label, by `EPOCH:COUNTER` of the commit time, by that time as one number, as in
/// `savedTime` of `plurix status --json`, or as the newest state.
public enum CheckpointName {
    /// `EPOCH:COUNTER`.
    public static func text(_ time: GlobalTime) -> String { "\(time.epoch):\(time.counter)" }

    /// The newest state, whatever its labels; lists call it so where it is not kept.
    public static let newest = "newest"

    /// The time that a text can only mean, if it is one.
    static func time(_ text: String) -> GlobalTime? {
        if let raw = UInt64(text) { return GlobalTime(raw: raw) }
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, let epoch = UInt32(parts[0]), let counter = UInt64(parts[1]),
            epoch <= Limits.maximumEpoch, counter < 1 << 44
        else { return nil }
        return GlobalTime(epoch: epoch, counter: counter)
    }

    /// The checkpoint that is meant.
    ///
    /// - Parameter checkpoints: By rising time.
    /// - Throws: `.input` for one that does not exist, with those that do.
    public static func resolve(_ text: String, among checkpoints: [Checkpoint]) throws(Failure) -> Checkpoint {
        if let found = checkpoints.last(where: { $0.labels.contains(text) }) { return found }
        if text == newest, let last = checkpoints.last { return last }
        if let time = time(text), let found = checkpoints.first(where: { $0.time == time }) { return found }
        let names = checkpoints.map { CheckpointReport($0).title }
        throw Failure(
            .input, "there is no checkpoint \"\(text.printable)\"",
            advice: names.isEmpty ? "none was ever made" : "there are \(names.joined(separator: ", "))", at: text)
    }

    /// The same among those that a page server tells of.
    public static func resolve(
        _ text: String, among reports: [CheckpointReport]
    ) throws(Failure) -> CheckpointReport {
        CheckpointReport(try resolve(text, among: reports.map { Checkpoint($0) }))
    }

    /// The checkpoints that are to be forgotten, each once.
    ///
    /// - Throws: `.input` for one that does not exist, and for one that has another label, of which nothing was said:
    ///   who gave it that may be somebody else. So the newest state is none that is forgotten by that name.
    static func resolve(_ names: [String], among checkpoints: [Checkpoint]) throws(Failure) -> [Checkpoint] {
        var found: [Checkpoint] = []
        for name in names {
            guard name != newest else {
                throw Failure(
                    .input, "the newest state stays until there is a newer one",
                    advice: "name one that is kept by its labels or its EPOCH:COUNTER", at: name)
            }
            let one = try resolve(name, among: checkpoints)
            let rest = one.labels.filter { !names.contains($0) }
            let isMeant = names.contains { time($0) == one.time }
            guard rest.isEmpty || isMeant || !one.labels.contains(name) else {
                throw Failure(
                    .input, "the checkpoint \(CheckpointReport(one).title) has other labels too",
                    advice: "to forget it name all of them: \(one.labels.map(\.quoted).joined(separator: " "))",
                    at: name)
            }
            if !found.contains(where: { $0.time == one.time }) { found.append(one) }
        }
        return found
    }

    /// Whether a new checkpoint may be called so.
    ///
    /// - Throws: `.usage` for a label that is empty or too long, or would be taken for something else; `.input` for one
    ///   that is taken.
    public static func check(_ label: String, among checkpoints: [Checkpoint]) throws(Failure) {
        // What cannot be seen would let two labels look the same.
        let isPlain = label.isPrintable && !label.unicodeScalars.contains(where: \.properties.isWhitespace)
        let isFree = !label.isEmpty && label != newest && time(label) == nil
        guard label.utf8.count <= Checkpoint.maximumLabelBytes, isPlain, isFree else {
            throw Failure(
                .usage, "\"\(label.printable)\" cannot label a checkpoint",
                advice: "use at most \(Checkpoint.maximumLabelBytes) bytes of UTF-8 without spaces and invisible"
                    + " characters, and neither a number nor \(newest)",
                at: "--label")
        }
        guard !checkpoints.contains(where: { $0.labels.contains(label) }) else {
            throw taken(label)
        }
    }

    /// What is said of a label that another state has.
    static func taken(_ label: String) -> Failure {
        Failure(
            .input, "there is a checkpoint \"\(label.printable)\" already", advice: "use another label", at: label)
    }
}
