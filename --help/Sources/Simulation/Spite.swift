/// An act that waits for the moment when it hurts most. Chance finds these moments too, but once in thousands of seeds.
enum Spite: Equatable, CaseIterable {
    /// The arbiter dies when it has admitted a node, and the node hears of it late: it lives on, taken for dead.
    case lateAccept
    /// A node dies as it gets the token, and is back at once.
    case crashGrantee
    /// A node dies when another has got a page from it that is not saved.
    case crashServer
    /// A commit reaches one other station, and its committer dies.
    case lonelyCommit
    /// Who has just come in hears again what its station was told in earlier lives.
    case oldFrames
    /// While nodes stand still for a poll, and shortly after it, they drop every copy that they may.
    case evictPledged
    /// The token's grant is lost at first, and comes again and again later.
    case lateGrant
    /// The arbiter dies as it opens an epoch, just before or after that is durable.
    case crashAtOpening
    /// The arbiter dies as it hears of a death.
    case crashAtDeath
    /// Nobody hears of a commit, and its committer dies when somebody has got a page of it.
    case unheardServer
    /// Who gets the token is alone at once, for longer than a poll is patient; what it commits comes when that is over.
    case lostHolder
    /// No record of a commit gets through for a while, but the token does.
    case mutedRecords
    /// The accept of a node is lost, and it is alone for so long that an epoch opens meanwhile.
    case lostAccept
    /// Who boots hears the accepts of its earlier lives.
    case oldAccepts
    /// Who has just come in and another node do not hear each other for a while.
    case shyNewcomer
    /// Who asks the arbiter for a page gets no answer until it asks everyone, and who made the page hears of no commit.
    case misledReader
    /// The arbiter sleeps through the rest of its patience when it has the first answer to a poll.
    case napAtPoll
    /// Answers to strict reads come late, and who asked hears of nothing else, and only reads.
    case slowStrict
    /// The record of a commit is lost with its committer, and only that: the token goes on. Nobody tells the arbiter.
    case lostRecord

    /// Whether an epoch may be its consequence.
    var isDisaster: Bool {
        switch self {
        case .lateAccept, .crashGrantee, .crashServer, .lonelyCommit, .crashAtOpening, .crashAtDeath, .unheardServer,
            .lostHolder, .lostAccept, .lostRecord, .napAtPoll: true
        case .oldFrames, .evictPledged, .lateGrant, .mutedRecords, .oldAccepts, .shyNewcomer, .misledReader,
            .slowStrict: false
        }
    }

    /// Whether it waits for somebody to die or to come in.
    var needsDeath: Bool {
        switch self {
        case .lateAccept, .oldFrames, .lostAccept, .oldAccepts, .shyNewcomer, .crashAtDeath,
            .crashAtOpening, .evictPledged, .napAtPoll: true
        case .crashGrantee, .crashServer, .lonelyCommit, .lateGrant, .unheardServer, .lostHolder,
            .mutedRecords, .misledReader, .slowStrict, .lostRecord: false
        }
    }

    /// Whether a run with these troubles and so many nodes may have it.
    func isPossible(_ trouble: Trouble, nodes: Int) -> Bool {
        switch self {
        case .lateAccept, .crashAtOpening, .crashAtDeath: trouble.contains(.arbiterKills)
        case .crashGrantee, .crashServer, .lonelyCommit: trouble.contains(.crashes)
        case .unheardServer: trouble.contains([.crashes, .loss]) && nodes > 1
        case .lostHolder, .lostAccept: trouble.contains([.crashes, .partitions]) && nodes > 2
        case .lostRecord: trouble.contains([.crashes, .loss]) && nodes > 2
        case .lateGrant, .mutedRecords, .slowStrict: trouble.contains(.loss)
        case .shyNewcomer: trouble.contains([.crashes, .loss]) && nodes > 2
        case .misledReader: trouble.contains(.loss) && nodes > 2
        case .oldFrames, .oldAccepts: trouble.contains(.hostility)
        case .evictPledged: trouble.contains(.eviction)
        case .napAtPoll: trouble.contains(.pauses)
        }
    }
}
