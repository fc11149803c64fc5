import Wire

/// Memory for one received datagram, kept for the life of its owner.
///
/// Unsafe because the kernel writes into it; one allocation for all frames keeps the loop free of any other.
final class FrameBuffer: @unchecked Sendable {
    /// One byte more than the largest frame, so that a longer datagram is seen to be one.
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: Limits.trainFrameBytes + 1, alignment: 16)

    deinit {
        memory.deallocate()
    }

    /// The first `count` bytes. Safe: bounded by the buffer, and the span cannot outlive the call.
    func withFrame<Result>(_ count: Int, _ body: (RawSpan) -> Result) -> Result {
        precondition(count <= memory.count, "frame longer than its buffer")
        return body(UnsafeRawBufferPointer(rebasing: memory[..<count]).bytes)
    }
}
