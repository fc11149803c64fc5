import Control
import Store
import Wire

extension Checkpoint {
    init(_ report: CheckpointReport) {
        self.init(
            time: GlobalTime(raw: report.time), created: report.created, label: report.label, isKept: report.isKept)
    }
}

extension CheckpointReport {
    public init(_ checkpoint: Checkpoint) {
        self.init(
            time: checkpoint.time.raw, epoch: checkpoint.time.epoch, counter: checkpoint.time.counter,
            created: checkpoint.created, label: checkpoint.label, isKept: checkpoint.isKept)
    }

    /// Its commit time, as every option takes it.
    public var name: String { CheckpointName.text(GlobalTime(epoch: epoch, counter: counter)) }

    /// As messages name it: `1:29 (before)`.
    public var title: String { label.isEmpty ? name : "\(name) (\(label.printable))" }
}
