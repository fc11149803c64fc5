import Wire

@testable import History

extension Target {
    /// What a node has written to its debug port: as it is, and put together from the input.
    static let records = Target("records", longest: 4096) { bytes in
        check(bytes)
        var input = Input(bytes)
        var file: [UInt8] = []
        while !input.isEmpty { file += record(&input) }
        check(file)
    }

    /// A record that is right but for what the input disturbs.
    private static func record(_ input: inout Input) -> [UInt8] {
        let reads = input.below(4)
        let writes = input.below(3)
        let kind = UInt8(1 + input.below(2))
        var bytes: [UInt8] = [0x54, kind, UInt8(reads), 0, UInt8(writes), 0, 1, UInt8(input.below(2))]
        func append(_ number: UInt64, _ count: Int) {
            for index in 0..<count { bytes.append(UInt8(truncatingIfNeeded: number >> UInt64(8 * index))) }
        }
        append(input.byte() < 0xF0 ? UInt64(input.byte()) : .max - UInt64(input.byte() & 1), 8)
        append(UInt64(input.byte()), 8)
        let begin = UInt64(input.byte())
        append(begin, 8)
        append(begin + UInt64(input.byte()), 8)
        for _ in 0..<reads {
            append(UInt64(input.byte()), 4)
            append(UInt64(input.byte()), 8)
            append(UInt64(input.byte()), 8)
        }
        for _ in 0..<writes {
            append(UInt64(input.byte()), 4)
            append(UInt64(input.byte()), 8)
        }
        bytes.disturb(&input, most: 1)
        return bytes
    }

    private static func check(_ bytes: [UInt8]) {
        guard let records = try? NodeRecords(bytes, node: 1) else { return }
        require(records.tornBytes <= bytes.count, "what is torn is a part of the file")
        let whole = Array(bytes.dropLast(records.tornBytes))
        guard let again = try? NodeRecords(whole, node: 1) else {
            broken("whole records are read without their torn end")
        }
        require(
            again.tornBytes == 0 && again.transactions == records.transactions, "a torn end changes nothing before it")
        require(
            Set(records.transactions.map(\.name)).count == records.transactions.count, "each transaction has its name")
        judge(records)
    }

    /// Recorded transactions make a history that can be judged, written and read.
    private static func judge(_ records: NodeRecords) {
        var recording = Recording(start: .zero, began: 0, clockError: 1)
        recording.add(records, node: 1, life: 1, isLate: records.tornBytes > 0, isLost: records.transactions.count > 3)
        let end = GlobalTime(epoch: Limits.maximumEpoch, counter: Limits.maximumCounter)
        let history = recording.history(end: end, openings: Openings(), endedAt: 1_000)
        _ = Checker.check(history).lines(history)
    }
}
