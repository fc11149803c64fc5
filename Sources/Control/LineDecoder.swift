import NIOCore

/// Cuts a byte stream into lines. A line that grows beyond `ControlLine.maximumBytes` closes the connection.
struct LineDecoder: NIOSingleStepByteToMessageDecoder {
    typealias InboundOut = ByteBuffer

    /// Bytes of the unfinished line that were searched already, so that a long line is searched once.
    private var searched = 0

    struct TooLong: Error {}

    mutating func decode(buffer: inout ByteBuffer) throws -> ByteBuffer? {
        let view = buffer.readableBytesView
        guard let end = view.dropFirst(searched).firstIndex(of: UInt8(ascii: "\n")) else {
            searched = view.count
            guard searched <= ControlLine.maximumBytes else { throw TooLong() }
            return nil
        }
        searched = 0
        let line = buffer.readSlice(length: end - view.startIndex)
        buffer.moveReaderIndex(forwardBy: 1)
        return line
    }

    mutating func decodeLast(buffer: inout ByteBuffer, seenEOF: Bool) throws -> ByteBuffer? {
        try decode(buffer: &buffer)
    }
}

typealias LineChannel = NIOAsyncChannel<ByteBuffer, ByteBuffer>

/// Turns a connected channel into one that reads lines and writes bytes.
func lines(on channel: any Channel) throws -> LineChannel {
    try channel.pipeline.syncOperations.addHandler(ByteToMessageHandler(LineDecoder()))
    return try NIOAsyncChannel(wrappingChannelSynchronously: channel)
}
