import Wire

/// Where the programs keep what they share. All control state of a program lies here too: after a rollback only the
/// shared memory says what runs next (PROTOCOL 3).
struct Layout {
    /// Whether the heap was made (word 1).
    static let root = PageNumber(0)
    /// Each node's own page: steps done (word 1), counter additions (word 2).
    static func control(_ node: Station) -> PageNumber { PageNumber(UInt32(node.number)) }
    static let maximumNodes = 8
    static let counter = PageNumber(9)
    static let firstAccount = 10
    static let openingBalance: UInt64 = 1000

    var accounts: Int
    var registers: Int
    /// Pages for steps whose write set does not fit one frame; 0 when there are none.
    var bulk: Int
    /// Buckets of a hash table, one page each; 0 when there is none.
    var buckets = 0
    /// Elements that a linked list may have, one page each; 0 when there is no list.
    var links = 0
    /// An audit stays so long at each page, nanoseconds: it is a long scan then, while others write.
    var scanPause: UInt64 = 0

    /// Words at the beginning of a page that programs write; of the others they write only stamps.
    var leadingWords: Int { buckets > 0 ? Workload.bucketWords : Self.fewWords }
    static let fewWords = 6

    func account(_ index: Int) -> PageNumber { PageNumber(UInt32(Self.firstAccount + index)) }
    func register(_ index: Int) -> PageNumber { PageNumber(UInt32(Self.firstAccount + accounts + index)) }
    func bulkPage(_ index: Int) -> PageNumber { PageNumber(UInt32(Self.firstAccount + accounts + registers + index)) }
    func bucket(_ index: Int) -> PageNumber {
        PageNumber(UInt32(Self.firstAccount + accounts + registers + bulk + index))
    }
    /// Element 0 is the head of the list.
    func link(_ index: Int) -> PageNumber { PageNumber(bucket(buckets).index + UInt32(index)) }
    var linkPages: Int { links == 0 ? 0 : links + 1 }
    var sharedPages: Int { Self.firstAccount + accounts + registers + bulk + buckets + linkPages }
}

/// The words of a node's own page.
enum Control {
    static let steps = 1
    static let additions = 2
    /// Keys that it put into the hash table, and all of them together by exclusive or.
    static let keys = 3
    static let keySum = 4
    /// Elements that it put into the list, less those that it took out.
    static let links = 5
}

/// What one transaction does.
enum Step: Equatable {
    case makeHeap
    case waitForHeap
    case increment
    case transfer(from: Int, to: Int, amount: UInt64)
    case write(register: Int)
    case bulk(first: Int, count: Int)
    case audit
    case auditCounter
    /// A new key, different from all others, into the hash table.
    case insert(bucket: Int)
    /// The last key of a bucket goes to another.
    case move(from: Int, to: Int)
    case auditTable
    /// An element goes into the list, at the place of its number, or out of it.
    case toggle(link: Int)
    case auditList

    /// Whether it only reads, to see whether all fits together.
    var isAudit: Bool {
        switch self {
        case .audit, .auditCounter, .auditTable, .auditList: true
        case .makeHeap, .waitForHeap, .increment, .transfer, .write, .bulk, .insert, .move, .toggle: false
        }
    }
}

/// The programs, as steps over the shared memory. A step that writes also advances its node's control page.
struct Workload {
    var layout: Layout
    var seed: UInt64

    /// The step that follows `done` others at a node; always the same, so that an undone one is done again alike.
    func step(of node: Station, after done: UInt64) -> Step {
        var draw = Generator(seed ^ UInt64(node.number) << 32 ^ done &* 0x1000_0001)
        _ = draw.next()
        let kind = draw.below(100)
        if layout.bulk > 0 && kind < 2 {
            let count = 321 + draw.below(layout.bulk - 320)
            return .bulk(first: draw.below(layout.bulk - count + 1), count: count)
        }
        if let other = structureStep(&draw) { return other }
        if kind < 35 { return .increment }
        if kind < 85 || layout.registers == 0 {
            let from = draw.below(layout.accounts)
            let to = (from + 1 + draw.below(layout.accounts - 1)) % layout.accounts
            return .transfer(from: from, to: to, amount: draw.between(1, 40))
        }
        return .write(register: draw.below(layout.registers))
    }

    /// The pages that a step reads, in order, before it writes.
    func reads(of step: Step, at node: Station) -> [PageNumber] {
        let own = Layout.control(node)
        switch step {
        case .makeHeap, .waitForHeap: return [Layout.root]
        case .increment: return [own, Layout.counter]
        case .transfer(let from, let to, _): return [own, layout.account(from), layout.account(to)]
        case .write(let register): return [own, layout.register(register)]
        case .bulk(let first, let count): return [own] + (first ..< first + count).map { layout.bulkPage($0) }
        case .audit: return (0..<layout.accounts).map { layout.account($0) }
        case .auditCounter: return [Layout.counter] + controls
        case .insert, .move, .toggle, .auditTable, .auditList: return structureReads(of: step, at: node)
        }
    }

    var controls: [PageNumber] { (1...Layout.maximumNodes).map { Layout.control(Station(UInt8($0))) } }

    /// What a step makes of the pages it read: their new contents, without stamps. Nil when an invariant is broken.
    func writes(of step: Step, at node: Station, _ content: (PageNumber) -> [UInt64]) -> [(PageNumber, [UInt64])]? {
        func advanced(counting: UInt64 = 0) -> (PageNumber, [UInt64]) {
            var own = content(Layout.control(node))
            own[Control.steps] += 1
            own[Control.additions] += counting
            return (Layout.control(node), own)
        }
        switch step {
        case .makeHeap:
            var pages = (0..<layout.accounts).map { index in
                var account = [UInt64](repeating: 0, count: PageFrames.words)
                account[1] = Layout.openingBalance
                return (layout.account(index), account)
            }
            var root = [UInt64](repeating: 0, count: PageFrames.words)
            root[1] = 1
            pages.append((Layout.root, root))
            return pages
        case .waitForHeap: return []
        case .increment:
            var counter = content(Layout.counter)
            counter[1] += 1
            return [advanced(counting: 1), (Layout.counter, counter)]
        case .transfer(let from, let to, let amount):
            var source = content(layout.account(from))
            var target = content(layout.account(to))
            let moved = min(amount, source[1])
            source[1] -= moved
            target[1] += moved
            return [advanced(), (layout.account(from), source), (layout.account(to), target)]
        case .write(let register): return [advanced(), (layout.register(register), content(layout.register(register)))]
        case .bulk(let first, let count):
            return [advanced()] + (first ..< first + count).map { (layout.bulkPage($0), content(layout.bulkPage($0))) }
        case .audit:
            let sum = (0..<layout.accounts).reduce(UInt64(0)) { $0 + content(layout.account($1))[1] }
            return sum == UInt64(layout.accounts) * Layout.openingBalance ? [] : nil
        case .auditCounter:
            let sum = (1...Layout.maximumNodes).reduce(UInt64(0)) {
                $0 + content(Layout.control(Station(UInt8($1))))[2]
            }
            return sum == content(Layout.counter)[1] ? [] : nil
        case .insert, .move, .toggle, .auditTable, .auditList:
            return structureWrites(of: step, at: node, advanced(), content)
        }
    }

    /// Puts the stamp where each piece of a page on its way has a part of it, so that a page put together wrongly
    /// shows.
    static let stampWords = [0, 200, 400, PageFrames.words - 1]
    static func stamp(_ content: inout [UInt64], _ stamp: UInt64) {
        for word in stampWords { content[word] = stamp }
    }
    static func isWhole(_ content: [UInt64]) -> Bool { stampWords.allSatisfy { content[$0] == content[0] } }
}
