/// Writes JSON into an output stream.
///
/// It keeps nothing between calls (a comma is due unless the last byte opens something), so a long
/// value may be written in several transactions. Names and strings must need no escapes.
public struct JSONWriter {
    private let stream: OutputStream

    public init(_ stream: OutputStream) {
        self.stream = stream
    }

    public func beginObject() throws(HeapError) { try open(UInt8(ascii: "{")) }
    public func endObject() throws(HeapError) { try stream.write(byte: UInt8(ascii: "}")) }
    public func beginArray() throws(HeapError) { try open(UInt8(ascii: "[")) }
    public func endArray() throws(HeapError) { try stream.write(byte: UInt8(ascii: "]")) }

    /// A number: a value, an element, or what follows a `name`.
    public func number(_ number: UInt64) throws(HeapError) {
        try separate()
        try stream.write(number)
    }

    /// The name of a field whose value follows.
    public func name(_ name: StaticString) throws(HeapError) {
        try separate()
        try stream.write("\"")
        try stream.write(name)
        try stream.write("\":")
    }

    /// A field with a number.
    public func field(_ name: StaticString, _ value: UInt64) throws(HeapError) {
        try self.name(name)
        try number(value)
    }

    /// A field with a number, named by bytes of the memory.
    public func field(_ name: SharedBytes, _ value: UInt64) throws(HeapError) {
        try separate()
        try stream.write("\"")
        try stream.write(name)
        try stream.write("\":")
        try number(value)
    }

    private func open(_ byte: UInt8) throws(HeapError) {
        try separate()
        try stream.write(byte: byte)
    }

    private func separate() throws(HeapError) {
        switch stream.lastByte {
        case nil, UInt8(ascii: "{"), UInt8(ascii: "["), UInt8(ascii: ":"): return
        case _?: try stream.write(byte: UInt8(ascii: ","))
        }
    }
}
