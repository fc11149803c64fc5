// Little-endian loads and stores on spans. This is the one place in Wire that uses unchecked loads: each is guarded by
// a bounds check of the span itself, or where that is said of its caller, and every bit pattern is a valid integer, so
// no load can produce a bad value.

extension RawSpan {
    /// The integer at `offset`, little-endian. Traps when it does not lie inside the span.
    @inlinable @inline(__always)
    public func load<Value: FixedWidthInteger & BitwiseCopyable>(_ type: Value.Type, at offset: Int) -> Value {
        // Safe: bounds-checked by the span; integers have no invalid bit patterns.
        Value(littleEndian: unsafe unsafeLoadUnaligned(fromByteOffset: offset, as: Value.self))
    }

    /// The eight bytes at `offset`, little-endian, for inner loops. The caller has checked that they lie inside.
    @inline(__always)
    func loadUnchecked(at offset: Int) -> UInt64 {
        // Safe: bounds are the caller's duty; integers have no invalid bit patterns.
        UInt64(littleEndian: unsafe unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt64.self))
    }
}

extension MutableRawSpan {
    /// The integer at `offset`, little-endian. Traps when it does not lie inside the span.
    @inlinable @inline(__always)
    public func load<Value: FixedWidthInteger & BitwiseCopyable>(_ type: Value.Type, at offset: Int) -> Value {
        // Safe: bounds-checked by the span; integers have no invalid bit patterns.
        Value(littleEndian: unsafe unsafeLoadUnaligned(fromByteOffset: offset, as: Value.self))
    }

    /// Stores an integer at `offset`, little-endian. Traps when it does not lie inside the span.
    @inlinable @inline(__always)
    public mutating func store<Value: FixedWidthInteger & BitwiseCopyable>(_ value: Value, at offset: Int) {
        storeBytes(of: value.littleEndian, toByteOffset: offset, as: Value.self)
    }

    /// Stores eight bytes at `offset`, little-endian, for inner loops. The caller has checked that they lie inside.
    @inline(__always)
    mutating func storeUnchecked(_ value: UInt64, at offset: Int) {
        // Safe: bounds are the caller's duty; an integer has no invalid bit patterns.
        unsafe storeBytes(of: value.littleEndian, toUncheckedByteOffset: offset, as: UInt64.self)
    }

    /// Copies `count` bytes of `source`, beginning at its byte `start`, to `offset`. Traps outside of either span.
    public mutating func copy(_ source: RawSpan, from start: Int, count: Int, to offset: Int) {
        precondition(start >= 0 && count >= 0 && start + count <= source.byteCount, "copy outside of its source")
        precondition(offset >= 0 && offset + count <= byteCount, "copy outside of its target")
        guard count > 0 else { return }
        withUnsafeMutableBytes { target in
            source.withUnsafeBytes { bytes in
                // Safe: both ranges were checked above.
                unsafe target.baseAddress.unsafelyUnwrapped.advanced(by: offset)
                    .copyMemory(from: bytes.baseAddress.unsafelyUnwrapped.advanced(by: start), byteCount: count)
            }
        }
    }
}

extension [UInt8] {
    /// Copies the bytes behind those that are there.
    public mutating func append(_ bytes: RawSpan) {
        // Safe: copied within the call.
        bytes.withUnsafeBytes { append(contentsOf: $0) }
    }
}
