import Heap

/// A word of a text, in lower case, without being copied out of it.
struct Word: HashKey {
    let memory: SharedMemory
    /// Letters only.
    let letters: SharedBytes

    var count: UInt64 { letters.count }

    subscript(index: UInt64) -> UInt8 { memory[letters[index]] | 0x20 }
}

/// The words that begin in one chunk of a text. The last of them may end behind the chunk; the letters
/// with which the chunk begins are not among them if they continue a word of the chunk before.
struct WordsOfChunk {
    private let memory: SharedMemory
    private let text: SharedBytes
    /// Where the chunk ends.
    private let end: UInt64
    private var position: UInt64

    init(_ text: SharedBytes, from start: UInt64, byteCount: UInt64, in memory: SharedMemory) {
        self.memory = memory
        self.text = text
        end = min(start + byteCount, text.count)
        position = start
        if start > 0 && isLetter(start - 1) { skipLetters(before: end) }
    }

    /// The next word; nil if no other begins in the chunk.
    mutating func next() -> Word? {
        while position < end && !isLetter(position) { position += 1 }
        guard position < end else { return nil }
        let start = position
        skipLetters(before: text.count)
        return Word(memory: memory, letters: SharedBytes(start: text.start + start, count: position - start))
    }

    private mutating func skipLetters(before limit: UInt64) {
        while position < limit && isLetter(position) { position += 1 }
    }

    private func isLetter(_ index: UInt64) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(memory[text[index]] | 0x20)
    }
}
