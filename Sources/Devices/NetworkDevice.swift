/// A network card as the nucleus sees it: frames in, frames out, nothing about rings.
///
/// All calls come from one processor with interrupts off. No call waits, allocates or loops over more than the
/// rings hold, whatever the device has written into them.
public protocol NetworkDevice: ~Copyable {
    /// The longest frame, in bytes from the destination address to the last byte of payload, that every station takes.
    var maximumFrameBytes: Int { get }

    /// The longest frame that can be sent, at least `maximumFrameBytes`: a station of the host may take more.
    var maximumTransmitBytes: Int { get }

    /// The station's own address.
    var address: MACAddress { get }

    /// Sends one frame of `byteCount` bytes that `fill` writes straight into the device's memory.
    ///
    /// `fill` gets exactly `byteCount` bytes with unspecified contents and is called at most once. Frames shorter
    /// than 60 bytes are padded with zeros. Returns false, without having called `fill`, when the ring is full, or no
    /// buffer for so long a frame is free, or `byteCount` is 0 or above `maximumTransmitBytes`. A full ring is ordinary
    /// after a burst, because the device may work at its own pace, and no interrupt tells when it has room again: try
    /// again after the next wake-up.
    mutating func transmit(_ byteCount: Int, _ fill: (inout MutableRawSpan) -> Void) -> Bool

    /// Hands the oldest waiting frame, without checksum, to `body` and gives its memory back to the device.
    ///
    /// Returns false when no frame waits. A frame that the device describes inconsistently is dropped and counted,
    /// never handed out; one call drops at most a ring full of those.
    mutating func receive(_ body: (RawSpan) -> Void) -> Bool

    /// Tells the device that its interrupt was seen. Call it before `receive` is polled until false, so that a frame
    /// that arrives in between raises a new interrupt.
    mutating func acknowledgeInterrupt()

    /// What went through and what was dropped since the card was brought up.
    var counters: DeviceCounters { get }
}

/// Counts of one card since it was brought up. They wrap instead of trapping.
public struct DeviceCounters: Equatable, Sendable {
    /// Frames handed to the device.
    public var framesSent: UInt64 = 0
    /// Frames handed out by `receive`.
    public var framesReceived: UInt64 = 0
    /// Calls of `transmit` that found the ring full, or no buffer long enough.
    public var transmitRefusals: UInt64 = 0
    /// Ring contents that no correct device writes; each was dropped.
    public var inconsistencies: UInt64 = 0
    /// Times that the receiver was emptied and started again because of an overflow or an inconsistency.
    public var receiverRestarts: UInt64 = 0

    public init() {}
}
