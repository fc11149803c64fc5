import Control
import Store

extension CheckpointReport {
    public init(_ checkpoint: Checkpoint) {
        self.init(
            time: checkpoint.time.raw, epoch: checkpoint.time.epoch, counter: checkpoint.time.counter,
            created: checkpoint.created, label: checkpoint.label, isKept: checkpoint.isKept)
    }
}
