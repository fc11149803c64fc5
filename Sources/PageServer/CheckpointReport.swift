import Control
import Store
import Wire

extension Checkpoint {
    init(_ report: CheckpointReport) {
        self.init(
            time: GlobalTime(raw: report.time), created: report.created,
            label: report.labels.joined(separator: " "), isKept: report.isKept)
    }
}

extension CheckpointReport {
    public init(_ checkpoint: Checkpoint) {
        self.init(
            time: checkpoint.time.raw, epoch: checkpoint.time.epoch, counter: checkpoint.time.counter,
            created: checkpoint.created, labels: checkpoint.labels, isKept: checkpoint.isKept)
    }

    /// Its commit time, as every option takes it.
    public var name: String { CheckpointName.text(GlobalTime(epoch: epoch, counter: counter)) }

    /// As messages name it: `1:29 (before)`.
    public var title: String { labels.isEmpty ? name : "\(name) (\(labelsInWords))" }

    /// Its labels in one line, empty for none.
    public var labelsInWords: String { labels.joined(separator: " ").printable }
}
