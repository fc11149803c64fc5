/// Every limit of the network format, each with its derivation.
public enum Limits {
    /// Bytes of a page of the shared memory. A parameter of the build (DESIGN 3).
    public static let pageBytes = 4096
    /// Ethernet header, two bytes that align what follows, the frozen frame header and its tag.
    public static let headerBytes = 72
    /// The largest Ethernet frame that a node takes: a page with its headers (72 + 32 + 4096), rounded up to a multiple
    /// of 256.
    public static let maximumFrameBytes = 4352
    /// Pages that one frame to the arbiter may carry, on a segment of jumbo frames.
    public static let trainPages = 15
    /// Room for something of each of them. (The count of such an array must be written as a number.)
    public typealias PerTrainPage<Value> = InlineArray<15, Value>
    /// The largest frame to the arbiter: a train with its headers (72 + 88 + 15 × 4096), rounded up to a multiple of
    /// 256. Its payload's length must fit 16 bits.
    public static let trainFrameBytes = 61_696
    /// The largest frame on a standard segment: MTU 1500 and the Ethernet header.
    public static let standardFrameBytes = 1514
    /// Nodes of a cluster: one bit of a 64-bit set each, one page each in the system area.
    public static let maximumNodes = 64
    /// Pages that one request may ask for: a read-ahead window of 64 KiB.
    public static let maximumRequestPages = 16
    /// Epochs an Open frame names: 64 × 12 bytes fit a standard frame. A node that slept longer drops everything.
    public static let maximumChain = 64
    /// Commit records that one request asks for: several times what a fast committer makes in a round trip, so that who
    /// is behind catches up.
    public static let requestRecords = 512
    /// Commit records that a token grant carries, so that a requester a few commits behind needs no catch-up.
    public static let grantRecords = 8
    /// Pages one grant's records may name together (they must fit a standard frame beside the queue).
    public static let grantPages = 128
    /// Bytes of a command's payload: a page and the head that the kernel's form of a command has.
    public static let commandBytes = 4096 + 64
    /// Pages of a shared memory whose transactions can be recorded: the recorder's table of versions (8 bytes a page)
    /// takes a quarter of the nucleus heap.
    public static let maximumRecordedPages = 65_536
    /// Global time: bits of the counter; the epoch has the other 20.
    public static let counterBits: UInt64 = 44
    public static let maximumCounter: UInt64 = (1 << 44) - 1
    public static let maximumEpoch: UInt32 = (1 << 20) - 1
}
