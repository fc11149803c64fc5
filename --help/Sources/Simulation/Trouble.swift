/// Which kinds of trouble a run may have.
public struct Trouble: OptionSet, Sendable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    public static let loss = Trouble(rawValue: 1)
    public static let duplication = Trouble(rawValue: 2)
    public static let reordering = Trouble(rawValue: 4)
    public static let eviction = Trouble(rawValue: 8)
    public static let pauses = Trouble(rawValue: 16)
    public static let crashes = Trouble(rawValue: 32)
    public static let partitions = Trouble(rawValue: 64)
    public static let arbiterKills = Trouble(rawValue: 128)
    /// Frames that arrive seconds late.
    public static let ghosts = Trouble(rawValue: 256)
    /// Frames with flipped bits, and frames of others played again.
    public static let hostility = Trouble(rawValue: 512)
    /// Disasters upon disasters, and little memory for the past.
    public static let siege = Trouble(rawValue: 1024)
    /// A round trip longer than a first patience: another site.
    public static let distance = Trouble(rawValue: 2048)
    /// Acts that wait for the moment when they hurt most.
    public static let spite = Trouble(rawValue: 4096)
    /// Quiet times in which frames go on being lost, and strict reads.
    public static let lulls = Trouble(rawValue: 8192)
    /// More nodes, pauses of minutes, and programs with a hash table, a linked list and long scans.
    public static let variety = Trouble(rawValue: 16384)
    /// Disks that are slow, full or failing, kills at any of their calls, and power cuts.
    public static let disks = Trouble(rawValue: 32768)
    /// The cluster goes back to an earlier state, because somebody wants it.
    public static let restores = Trouble(rawValue: 65536)
    public static let none: Trouble = []
    public static let all = Trouble(rawValue: 131071)
    /// What there was before disks: the arbiter's is then always there at once, and never lost.
    public static let diskless = Trouble(rawValue: 32767)
    /// What there was before spite and lulls: a seed's draws depend on what it may have.
    public static let plain = Trouble(rawValue: 4095)
    /// What there was before variety.
    public static let uniform = Trouble(rawValue: 16383)

    /// Each kind by its name.
    public static let names: [(name: String, trouble: Trouble)] = [
        ("loss", .loss), ("duplication", .duplication), ("reordering", .reordering), ("eviction", .eviction),
        ("pauses", .pauses), ("crashes", .crashes), ("partitions", .partitions), ("arbiterKills", .arbiterKills),
        ("ghosts", .ghosts), ("hostility", .hostility), ("siege", .siege), ("distance", .distance),
        ("spite", .spite), ("lulls", .lulls), ("disks", .disks), ("restores", .restores),
    ]
}

/// What is taken away from a seed's run, to find out what its failure needs. The rest stays as the seed drew it.
public struct Restriction: Sendable {
    /// Kinds of faults that do not happen.
    public var without: Trouble = []
    /// The entries of the fault script that do happen, by their place; all of them when nil.
    public var faults: [Int]?
    /// Faults stop after so many frames.
    public var calmAfter: Int?

    public init() {}
}
