import Wire

/// The arbiter: admits nodes, follows the commits, keeps a complete image of the shared memory at a recent time, serves
/// pages that nobody else owns, and alone declares what is lost, by opening a new epoch. It never commits and never has
/// the token. A pure state machine over its world; with a disk behind that world it is the PageServer.
public struct Arbiter: Sendable {
    public let build: BuildIdentifier
    public let tuning: Tuning
    public internal(set) var endpoint: Endpoint

    /// Epochs that an Open frame names.
    let chainLimit: Int
    /// Newest first.
    public internal(set) var chain: [EpochRecord]
    public internal(set) var applied: GlobalTime
    /// The time of the image. What it holds need not be durable yet.
    public internal(set) var held: GlobalTime
    /// Up to here the image is durable, and all that was told to the nodes as saved.
    public internal(set) var saved: GlobalTime
    var polledEpoch: UInt32
    var lastIncarnation: UInt32

    var log: CommitLog
    var imageVersions: [GlobalTime]
    /// Version and owner of each page at the applied time; nobody as owner means that the image has it.
    var latest: [PageRecord]
    var members: [Member]
    var polling: Polling? = nil
    var saving: Saving? = nil
    /// Pages for the next round that came before it began.
    var pushed = PushedPages()
    /// Of each page, where its need lies in the round under way; of others, anything.
    var needPlaces: [UInt32]
    /// Who held which unsaved version at the last poll.
    var holders = Holders()
    var laterRequests: [PageRequest] = []
    var patience = Patience()
    var gap = CatchUp()
    /// The token is with nobody: the next node that joins gets it.
    var isTokenFree: Bool
    /// Who got token number 1 of this epoch by its Open frame, always the same however often that is sent.
    var grantee = Station.nobody
    var granteeIncarnation: UInt32 = 0
    var tokenEvidenceAt: UInt64 = 0
    /// The highest token number of this epoch that a node has told of: while it grows the token goes round.
    var tokenNumber: UInt32 = 0
    var tokenHolder = Station.nobody
    var nonce: UInt64
    var heartbeatAt: UInt64 = 0
    var dismissAt: UInt64 = 0
    var openAgainAt: UInt64 = .max
    var openAgain = 0
    var saveAt: UInt64 = 0
    /// Somebody waits for a checkpoint of this state.
    var hurriedTo = GlobalTime.zero
    /// Nanoseconds; before, the next round is not hurried.
    var hurryAgainAt: UInt64 = 0
    /// Somebody waits until so much is saved.
    var saveWanted = GlobalTime.zero
    var lastTick: UInt64 = 0
    /// A reason for a poll that came while another was under way.
    var nextReason: ArbiterNotice.Reason? = nil

    public struct Member: Sendable {
        public enum State: Sendable { case absent, member, dead }
        public var state = State.absent
        public var incarnation: UInt32 = 0
        public var applied = GlobalTime.zero
        public var lastHeard: UInt64 = 0
        /// The token of this number is not its own, as its last sign of life said; 0 when it claimed one.
        var disclaimed: UInt32 = 0
        public var isReady = false
        public var counters = Counters()
        var joinNonce: UInt64 = 0
        /// The nonce with which this incarnation was admitted; 0 when an earlier run of the arbiter did it.
        var admittedNonce: UInt64 = 0
        var challenge: UInt64 = 0
        /// The frame that admitted it, for when it was lost.
        var accept: JoinAccept? = nil
    }

    /// A silent node is waited for this long before an epoch opens without it.
    static let grace: UInt64 = 2_000 * Tuning.millisecond
    /// A pause of the arbiter itself: after it, timers start anew (PROTOCOL 9).
    static let ownGap: UInt64 = 500 * Tuning.millisecond
    static let laterLimit = 64

    public init(cluster: UInt64, key: SipHash.Key, build: BuildIdentifier, state: ArbiterState, nonce: UInt64,
                logEntries: Int = 16384, logWords: Int = 1 << 18, chainLimit: Int = Limits.maximumChain,
                tuning: Tuning = Tuning()) {
        self.build = build
        self.tuning = tuning
        self.chainLimit = chainLimit
        endpoint = Endpoint(cluster: cluster, key: key, station: .arbiter, incarnation: state.incarnation + 1)
        chain = state.chain
        applied = state.saved
        held = state.saved
        saved = state.saved
        polledEpoch = max(state.polledEpoch, state.chain[0].epoch)
        lastIncarnation = state.lastIncarnation
        log = CommitLog(entries: logEntries, words: logWords)
        imageVersions = state.imageVersions
        latest = state.imageVersions.map { version in
            var record = PageRecord()
            record.version = version
            return record
        }
        needPlaces = [UInt32](repeating: 0, count: state.imageVersions.count)
        members = [Member](repeating: Member(), count: Limits.maximumNodes)
        for index in members.indices where state.members[index] > 0 {
            members[index].state = .member
            members[index].incarnation = state.members[index]
            members[index].isReady = true
            endpoint.retire(Station(UInt8(index + 1)), below: state.members[index])
        }
        isTokenFree = !members.contains { $0.state == .member }
        self.nonce = nonce
    }

    public var epoch: UInt32 { chain[0].epoch }
    public var isPolling: Bool { polling != nil }
    public func member(_ node: Station) -> Member { members[node.index] }

    mutating func nextNonce() -> UInt64 {
        nonce &+= 0x9E37_79B9_7F4A_7C15
        return nonce
    }

    /// Says who it is, durably, before its first frame.
    public mutating func start<World: ArbiterWorld & ~Copyable>(now: UInt64, _ world: inout World) {
        world.persist(.incarnation(endpoint.incarnation))
        lastTick = now
        tokenEvidenceAt = now
        for index in members.indices { members[index].lastHeard = now }
        heartbeatAt = now
        // Nodes may have promised an earlier run to stand still. Its poll is never resumed: a new one frees them [P7].
        // And where nobody is left, the dead may have made commits that no one knows: the token starts in a new epoch.
        // Where nothing was ever saved, the node that should make the heap may not know: it is chosen anew [P22].
        let hasStarted = lastIncarnation > 0
        if polledEpoch > epoch {
            beginPoll(.interrupted, now, &world)
        } else if hasStarted && (isTokenFree || saved == .zero) {
            beginPoll(.nobodyLeft, now, &world)
        }
        tick(now: now, &world)
    }

    mutating func send<World: ArbiterWorld & ~Copyable, M: Message>(_ message: M, to target: Station,
                                                                    _ world: inout World) {
        let header = endpoint.nextHeader(M.kind, to: target, payloadBytes: message.byteCount, epoch: epoch,
                                         applied: applied)
        let key = endpoint.key
        _ = world.transmit(Limits.headerBytes + message.byteCount) { frame in
            message.emit(into: &frame)
            header.emit(into: &frame, key: key)
        }
    }

    /// Sends a command of the host to a node; the host repeats it until it is answered.
    public mutating func command<World: ArbiterWorld & ~Copyable>(_ command: Command, _ payload: [UInt8],
                                                                  to node: Station, _ world: inout World) {
        precondition(payload.count == Int(command.length), "the head tells the payload's length")
        let header = endpoint.nextHeader(.command, to: node, payloadBytes: command.byteCount, epoch: epoch,
                                         applied: applied)
        let key = endpoint.key
        _ = world.transmit(Limits.headerBytes + command.byteCount) { frame in
            command.emit(into: &frame)
            frame.copy(payload.span.bytes, from: 0, count: payload.count, to: Command.dataOffset)
            header.emit(into: &frame, key: key)
        }
    }

    public mutating func receive<World: ArbiterWorld & ~Copyable>(_ frame: RawSpan, now: UInt64,
                                                                  _ world: inout World) {
        noticePause(now)
        let unauthentic = endpoint.unauthentic
        guard let header = endpoint.admit(frame) else {
            if endpoint.unauthentic > unauthentic { world.notify(.unauthentic) }
            if now >= dismissAt, let old = endpoint.retired(frame) {
                dismiss(old.station, old.incarnation, now, &world)
            }
            return
        }
        guard header.sender.isNode else { return endpoint.reject() }
        if header.kind.isJoin {
            receiveJoin(header, frame, now, &world)
            return
        }
        let index = header.sender.index
        guard members[index].state == .member, members[index].incarnation == header.incarnation else {
            endpoint.reject()
            return dismiss(header.sender, header.incarnation, now, &world)
        }
        guard header.epoch == epoch || header.kind.crossesEpochs else {
            endpoint.reject()
            if header.epoch < epoch { sendOpen(to: header.sender, &world) }
            return
        }
        // Who is heard but hears of no epoch is as good as silent [P29].
        if header.epoch == epoch {
            members[index].lastHeard = now
            members[index].applied = header.applied
            if header.applied.counter > applied.counter, header.kind != .commit {
                hearOf(header.applied.counter, from: header.sender, at: now + tuning.reorder)
            }
        }
        if !dispatch(header, frame, now, &world) { endpoint.reject() }
        advance(now, &world)
    }

    private mutating func dispatch<World: ArbiterWorld & ~Copyable>(_ header: FrameHeader, _ frame: RawSpan,
                                                                    _ now: UInt64, _ world: inout World) -> Bool {
        switch header.kind {
        case .commit, .recordReply: return receiveRecords(frame)
        case .recordRequest: return receiveRecordRequest(header, frame, &world)
        case .pageRequest: return receivePageRequest(header, frame, now, &world)
        case .pageReply: return receivePageReply(frame, now, &world)
        case .pageTrain: return receivePageTrain(frame, now, &world)
        case .pageAbsent: return receivePageAbsent(frame, now, &world)
        case .missing: return receiveMissing(header, frame, now, &world)
        case .heartbeat: return receiveHeartbeat(header, frame, now)
        case .pollAnswer: return receivePollAnswer(header, frame, now, &world)
        case .epochQuestion:
            sendOpen(to: header.sender, &world)
            return true
        case .saveRequest:
            guard let request = SaveRequest.parse(frame) else { return false }
            want(request.time, now: now, &world)
            return true
        case .strictRead:
            guard let read = StrictRead.parse(frame) else { return false }
            if polling == nil { send(StrictAnswer(nonce: read.nonce, time: applied), to: header.sender, &world) }
            return true
        case .commandReply:
            guard let reply = CommandReply.parse(frame) else { return false }
            world.accept(reply, from: header.sender)
            return true
        case .report:
            guard let report = Report.parse(frame) else { return false }
            members[header.sender.index].counters = report.counters
            members[header.sender.index].isReady = report.isReady
            world.accept(report, from: header.sender)
            return true
        case .tokenGrant: return passOnGrant(header, frame, &world)
        case .tokenRequest: return passOnRequest(header, frame, &world)
        case .poll, .open, .strictAnswer, .command: return false
        case .joinRequest, .joinChallenge, .joinAnswer, .joinAccept, .joinRefusal: return true
        }
    }

    private mutating func receiveHeartbeat(_ header: FrameHeader, _ frame: RawSpan, _ now: UInt64) -> Bool {
        guard let heartbeat = Heartbeat.parse(frame) else { return false }
        guard header.epoch == epoch else { return true }
        if heartbeat.holdsToken { tokenHolder = header.sender }
        members[header.sender.index].disclaimed = heartbeat.holdsToken ? 0 : heartbeat.tokenNumber
        if heartbeat.holdsToken || heartbeat.tokenNumber > tokenNumber { tokenEvidenceAt = now }
        tokenNumber = max(tokenNumber, heartbeat.tokenNumber)
        return true
    }
}
