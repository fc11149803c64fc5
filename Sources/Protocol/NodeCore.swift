import Wire

/// The protocol of a node: a pure state machine over a world (link and memory) that is given to each event.
///
/// Its parts: joining (`NodeCore+Join`), page requests and replies (`+Pages`), transactions and commit (`+Commit`),
/// applying others' commits and catching up (`+Apply`), the token (`+Token`), epochs (`+Epoch`), timers (`+Timers`).
/// Numbers like [P13] cite the rules of the specification.
///
/// Not copyable: a copy, which the compiler would make of one that a class holds to read a single field, costs a
/// thousand instructions for each poll, and one made by mistake would be a second node.
public struct NodeCore: ~Copyable, Sendable {
    public enum Phase: Equatable, Sendable { case joining, member, refused(JoinRefusal.Reason) }

    /// What a transaction's commit came to.
    public enum CommitResult: Equatable, Sendable {
        /// Visible on every node; provisional until the saved time reaches it.
        case committed(GlobalTime)
        /// The token, missing records or the arbiter's saving are waited for; ask again after the next event.
        case waiting
        /// Another commit changed what it read; undo and run it again.
        case doomed
    }

    public let build: BuildIdentifier
    public let tuning: Tuning
    public internal(set) var endpoint: Endpoint
    public internal(set) var phase = Phase.joining
    public internal(set) var isPrimary = false

    public internal(set) var epoch: UInt32 = 0
    public internal(set) var applied = GlobalTime.zero
    /// Everything up to here can never be undone.
    public internal(set) var saved = GlobalTime.zero
    /// Unsaved copies up to here were named in a poll's answer: the arbiter counts on them until they are saved.
    var pledged = GlobalTime.zero
    /// The highest epoch whose poll was answered; above `epoch` the node stands still [P4].
    var frozenFor: UInt32 = 0

    var pages: [PageRecord]
    var log: CommitLog
    var preImages: PreImages
    /// Up to the last one in use: every event looks through them.
    var fetches: [Fetch]
    /// Of each node that let a page be asked for in vain, until when the arbiter is asked before it.
    var passedOverUntil = [UInt64](repeating: 0, count: Limits.maximumNodes)
    var laterRequests: [PageRequest] = []
    var patience = Patience()
    var token = Token()
    var transaction: Transaction

    var join = Join()
    var gap = CatchUp()
    var strict = Strict()
    /// A commit of which it is open whether it will be saved or undone; nil when it is neither any more, or none is
    /// waited for. An epoch that leaves it alone decides nothing: a later one may still undo it.
    public internal(set) var awaited: GlobalTime?
    var nonce: UInt64
    var heartbeatAt: UInt64 = 0
    var reportAt: UInt64 = 0
    var epochHintAt: UInt64 = 0
    /// When anybody was heard last.
    var heardAt: UInt64 = 0
    /// The node's entry in the node table is committed (told by the node, reported to the arbiter).
    public var isReady = false
    public var counters = Counters()

    struct Join: Sendable {
        var nonce: UInt64 = 0
        var deadline: UInt64 = 0
        var tries: UInt32 = 0
        var hasWarned = false
    }

    struct Strict: Sendable {
        var nonce: UInt64 = 0
        var deadline: UInt64 = .max
        var time: GlobalTime? = nil
    }

    struct Transaction: Sendable {
        var isRunning = false
        var isDoomed = false
        /// The scheduler has work: the token may be kept for a while.
        var isBusy = false
        /// Waits for token or catch-up with a finished body.
        var isCommitting = false
        var losses: UInt32 = 0
        var urgentUntil: UInt64 = 0
        var writes: [UInt32]
        var writeCount = 0
    }

    /// - Parameters:
    ///   - module: who this node is, from the host.
    ///   - writeLimit: the most pages one transaction may write.
    ///   - preImageLimit: the most unsaved old versions kept.
    public init(module: BootModule, build: BuildIdentifier, writeLimit: Int, preImageLimit: Int,
                logEntries: Int = 4096, logWords: Int = 65536, tuning: Tuning = Tuning()) {
        self.build = build
        self.tuning = tuning
        endpoint = Endpoint(cluster: module.cluster, key: module.key, station: module.node, incarnation: 0)
        pages = [PageRecord](repeating: PageRecord(), count: Int(module.sharedPages))
        log = CommitLog(entries: logEntries, words: logWords)
        preImages = PreImages(capacity: preImageLimit)
        fetches = []
        fetches.reserveCapacity(Self.maximumFetches)
        transaction = Transaction(writes: [UInt32](repeating: 0, count: writeLimit))
        nonce = module.nonce
        join.nonce = module.nonce
        laterRequests.reserveCapacity(Self.maximumLaterRequests)
    }

    static let maximumLaterRequests = 16
    /// Pages under way: two windows of read-ahead.
    static let maximumFetches = 32

    public var station: Station { endpoint.station }
    public var sharedPages: Int { pages.count }
    public var holdsToken: Bool { token.isHeld }
    /// Whether the node stands still because the arbiter prepares a new epoch.
    public var isFrozen: Bool { frozenFor > epoch }
    public var isDoomed: Bool { transaction.isDoomed }
    public var writeCount: Int { transaction.writeCount }

    mutating func nextNonce() -> UInt64 {
        nonce &+= 0x9E37_79B9_7F4A_7C15
        return nonce
    }

    /// Sends a message whose payload is all in its value.
    mutating func send<World: NodeWorld & ~Copyable, M: Message>(_ message: M, to target: Station,
                                                                 _ world: inout World) {
        send(M.kind, byteCount: message.byteCount, to: target, &world) { message.emit(into: &$0) }
    }

    /// Sends a frame whose payload `fill` writes.
    @discardableResult
    mutating func send<World: NodeWorld & ~Copyable>(_ kind: FrameHeader.Kind, byteCount: Int, to target: Station,
                                                     _ world: inout World,
                                                     _ fill: (inout MutableRawSpan) -> Void) -> Bool {
        let header = endpoint.nextHeader(kind, to: target, payloadBytes: byteCount, epoch: epoch, applied: applied)
        let key = endpoint.key
        return world.transmit(Limits.headerBytes + byteCount) { frame in
            fill(&frame)
            header.emit(into: &frame, key: key)
        }
    }

    /// A frame has arrived.
    public mutating func receive<World: NodeWorld & ~Copyable>(_ frame: RawSpan, now: UInt64, _ world: inout World) {
        guard let header = endpoint.admit(frame) else {
            warnOfKey(&world)
            return
        }
        heardAt = now
        if phase != .member {
            if header.kind.isJoin { receiveJoin(header, frame, now, &world) }
            return
        }
        guard header.epoch == epoch || header.kind.crossesEpochs else {
            endpoint.reject()
            hintEpoch(header, now, &world)
            return
        }
        if header.epoch == epoch { hear(header, now) }
        dispatch(header, frame, now, &world)
        advance(now, &world)
    }

    private mutating func dispatch<World: NodeWorld & ~Copyable>(_ header: FrameHeader, _ frame: RawSpan,
                                                                 _ now: UInt64, _ world: inout World) {
        let isSound: Bool
        switch header.kind {
        case .pageRequest: isSound = receivePageRequest(header, frame, now, &world)
        case .pageReply: isSound = receivePageReply(header, frame, now, &world)
        case .pageAbsent: isSound = receivePageAbsent(header, frame, now, &world)
        case .tokenRequest: isSound = receiveTokenRequest(frame, now, &world)
        case .tokenGrant: isSound = receiveTokenGrant(header, frame, now, &world)
        case .commit, .recordReply: isSound = receiveRecords(frame, at: Payload.at(0))
        case .recordRequest: isSound = receiveRecordRequest(header, frame, &world)
        case .missing: isSound = receiveMissing(header, frame, now, &world)
        case .heartbeat: isSound = receiveHeartbeat(header, frame, &world)
        case .poll: isSound = receivePoll(header, frame, &world)
        case .open: isSound = receiveOpen(header, frame, now, &world)
        case .strictAnswer: isSound = receiveStrictAnswer(header, frame)
        case .command: isSound = receiveCommand(header, frame, &world)
        case .joinRefusal: isSound = receiveDismissal(header, frame, now, &world)
        case .joinRequest, .joinChallenge, .joinAnswer, .joinAccept: isSound = true
        case .pageTrain, .pollAnswer, .epochQuestion, .strictRead, .saveRequest, .commandReply, .report: isSound = true
        }
        if !isSound { endpoint.reject() }
    }

    private mutating func receiveCommand<World: NodeWorld & ~Copyable>(_ header: FrameHeader, _ frame: RawSpan,
                                                                       _ world: inout World) -> Bool {
        guard let command = Command.parse(frame), header.sender == .arbiter else { return false }
        if !isFrozen { world.accept(command, from: frame) }
        return true
    }

    /// Answers a command of the host.
    public mutating func reply<World: NodeWorld & ~Copyable>(_ identifier: UInt64, _ status: CommandReply.Status,
                                                             time: GlobalTime, _ world: inout World) {
        send(CommandReply(identifier: identifier, status: status, time: time), to: .arbiter, &world)
    }
}
