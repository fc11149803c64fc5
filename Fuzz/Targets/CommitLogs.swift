import Wire

@testable import Protocol

extension Target {
    /// The log of commits: records in pieces, early, late, twice, contradicting each other, beside a plain dictionary.
    static let commitLog = Target("commitlog", longest: 512) { bytes in
        var input = Input(bytes)
        var history = LogHistory()
        while !input.isEmpty { history.step(&input) }
    }

    private struct LogHistory {
        var log = CommitLog(entries: 128, words: 2048)
        /// The pieces of each record that the log has taken in since it opened the record.
        var pieces: [UInt64: [Int: [UInt32]]] = [:]
        var next: UInt64 = 1

        mutating func step(_ input: inout Input) {
            switch input.below(8) {
            case 0: append(&input)
            case 1: log.removeAll(after: time(&input))
            case 2: checkRun(UInt64(input.byte()), input.below(64), limit: 40 + 16 * Int(input.byte()))
            case 3: _ = log.hasRoom(input.below(200), protecting: UInt64(input.byte()), upTo: UInt64(input.byte()))
            default: insert(&input)
            }
            for counter in pieces.keys { checkEntry(counter) }
        }

        private func time(_ input: inout Input) -> GlobalTime {
            GlobalTime(epoch: UInt32(input.below(3)), counter: UInt64(input.byte()))
        }

        private mutating func append(_ input: inout Input) {
            let pages = (0..<input.below(8)).map { UInt32($0) + UInt32(input.byte()) }
            let time = GlobalTime(epoch: 3, counter: next)
            log.append(time, tokenNumber: 1, committer: Station(1), incarnation: 1, pages: pages, count: pages.count)
            pieces[next] = [0: pages]
            require(log.entry(next)?.isComplete == true, "an own record is here at once")
            next += 1
        }

        /// The pages of a record are a function of its time, its size and a variant: pieces of two variants do not fit.
        private mutating func insert(_ input: inout Input) {
            let time = time(&input)
            let total = [1, 3, 320, 321, 640, 700][input.below(6)]
            let variant = UInt32(input.below(2))
            let all = (0..<total).map { UInt32($0) * 2 + variant + UInt32(time.counter) }
            let index = input.below(RecordPiece.pieces(of: total))
            let digest: UInt64 = switch input.below(4) {
            case 0: 0
            case 1: 1
            default: RecordPiece.pieces(of: total) > 1 ? CommitLog.digest(all) : 0
            }
            let count = min(RecordPiece.maximumPages, total - index * RecordPiece.maximumPages)
            let piece = RecordPiece(
                time: time, digest: digest, tokenNumber: 1, committer: Station(2), committerIncarnation: 1,
                index: UInt8(index), count: UInt8(RecordPiece.pieces(of: total)), total: UInt32(total),
                pages: UInt16(count))
            let own = Array(all[index * RecordPiece.maximumPages..<index * RecordPiece.maximumPages + count])
            insert(piece, own)
        }

        private mutating func insert(_ piece: RecordPiece, _ pages: [UInt32]) {
            var frame = [UInt8](repeating: 0, count: piece.byteCount)
            frame.write { bytes in
                piece.emit(into: &bytes, at: 0)
                for (place, page) in pages.enumerated() { bytes.store(page, at: RecordPiece.headBytes + 4 * place) }
            }
            guard RecordPiece.parse(frame.span.bytes, at: 0) == piece else { return }
            let counter = piece.time.counter
            let before = log.entry(counter)
            let isTaken = log.insert(piece, from: frame.span.bytes, at: 0)
            guard isTaken else { return }
            if before?.time != piece.time { pieces[counter] = [:] }
            if pieces[counter]?[Int(piece.index)] == nil { pieces[counter]?[Int(piece.index)] = pages }
        }

        private func checkEntry(_ counter: UInt64) {
            guard let entry = log.entry(counter), let known = pieces[counter] else { return }
            require(entry.time.counter == counter, "a record is found by its counter")
            guard entry.isComplete else { return }
            let pages = (0..<entry.total).map { log.page($0, of: entry).index }
            let expected = known.sorted { $0.key < $1.key }.flatMap(\.value)
            require(pages == expected, "a record has the pages that came")
            if RecordPiece.pieces(of: entry.total) > 1 {
                require(entry.digest == CommitLog.digest(pages), "the pieces of a record belong together")
            }
        }

        /// What a frame of records says is what the log says.
        private func checkRun(_ first: UInt64, _ count: Int, limit: Int) {
            let run = log.run(from: first, to: first + UInt64(count), limit: limit)
            guard run.count > 0 else { return }
            require(run.bytes <= limit, "a run fits its frame")
            var frame = [UInt8](repeating: 0, count: run.bytes)
            frame.write { log.emitRun(from: first, count: run.count, into: &$0, at: 0) }
            var counter = first
            let isList = RecordList.forEach(frame.span.bytes, at: 0) { piece, _ in
                require(piece.time == log.entry(counter)?.time, "a run has its records in order")
                counter += 1
            }
            require(isList && counter == first + run.count, "a run is a list of records")
        }
    }
}
