import Heap
import Kernel

/// Random transfers between accounts on many pages, and read-only audits of their sum meanwhile.
///
/// A transfer touches the pages of two accounts and the node's own. An audit reads all accounts and
/// writes nothing, so it commits without a frame; it must see the sum that `prepare` made.
public struct Bank: Program {
    public static let name: StaticString = "bank"
    public static let usage: StaticString = "[--accounts N] [--transfers N] [--audit-every N]"
    public static let summary: StaticString =
        "transfers between accounts, audited meanwhile: the sum is invariant"

    /// Four accounts a page: enough pages for conflicts to be rare, few enough for audits to be quick.
    private static let accountByteCount: UInt64 = 1024
    private static let initialBalance: UInt64 = 1000

    /// What one node did.
    struct Ledger: BitwiseCopyable {
        var transfers: UInt64
        var audits: UInt64
        /// Audits that saw a wrong sum.
        var violations: UInt64
    }

    /// What `finish` has done so far.
    struct Books: BitwiseCopyable {
        var accounts: SharedArray<UInt64>
        var resultIsWritten: Bool
    }

    let accountCount: UInt64
    /// Transfers of each node.
    let transfers: UInt64
    /// Every so many transactions of a node one is an audit.
    let auditInterval: UInt64

    public init(_ arguments: inout Arguments) throws(ArgumentError) {
        accountCount = try arguments.option("--accounts", default: 64, in: 2...1600)
        transfers = try arguments.option("--transfers", default: 200, in: 1...1_000_000_000)
        auditInterval = try arguments.option("--audit-every", default: 10, in: 2...1_000_000)
    }

    private var expectedSum: UInt64 { accountCount * Self.initialBalance }

    public func prepare(_ context: Context) throws(HeapError) -> Step {
        let pageCount = (accountCount * Self.accountByteCount - 1) / pageByteCount + 1
        let start = try context.allocator.allocatePages(UInt32(pageCount))
        let accounts = SharedArray<UInt64>(start: start, count: accountCount, stride: Self.accountByteCount)
        for index in 0..<accountCount { context.memory[accounts[index]] = Self.initialBalance }
        context.memory[context.common()] = Books(accounts: accounts, resultIsWritten: false)
        return .done
    }

    public func step(_ context: Context) throws(HeapError) -> Step {
        let accounts = context.memory[context.common(Books.self)].accounts
        // An audit leaves no trace in the memory from which the next step could know that it was; the
        // node's count of commits tells.
        if context.commits % auditInterval == auditInterval - 1 {
            if sum(accounts, context.memory) != expectedSum { recordViolation(context) }
            return .again
        }
        return transfer(accounts, context)
    }

    public func finish(_ context: Context) throws(HeapError) -> Step {
        let memory = context.memory
        var books = memory[context.common(Books.self)]
        let total = sumOfLedgers(context), sum = sum(books.accounts, memory)
        if books.resultIsWritten {
            return total.violations == 0 && sum == expectedSum ? .done : .failed("an audit saw a wrong sum")
        }
        try write(total, sum, to: context.result)
        books.resultIsWritten = true
        memory[context.common()] = books
        return .again
    }

    private func transfer(_ accounts: SharedArray<UInt64>, _ context: Context) -> Step {
        let memory = context.memory, ledger = context.own(Ledger.self)
        let from = context.random(below: accountCount)
        let to = (from + 1 + context.random(below: accountCount - 1)) % accountCount
        let amount = min(context.random(below: 100), memory[accounts[from]])
        memory[accounts[from]] -= amount
        memory[accounts[to]] += amount
        var mine = memory[ledger]
        mine.transfers += 1
        if context.commits > 0 && context.commits % auditInterval == 0 { mine.audits += 1 }
        memory[ledger] = mine
        return mine.transfers < transfers ? .again : .done
    }

    private func recordViolation(_ context: Context) {
        let ledger = context.own(Ledger.self)
        context.memory[ledger].violations += 1
    }

    private func sum(_ accounts: SharedArray<UInt64>, _ memory: SharedMemory) -> UInt64 {
        var sum: UInt64 = 0
        for index in 0..<accountCount { sum += memory[accounts[index]] }
        return sum
    }

    private func sumOfLedgers(_ context: Context) -> Ledger {
        var total = Ledger(transfers: 0, audits: 0, violations: 0)
        for rank in 0..<context.count {
            guard let ledger = context.own(of: rank, Ledger.self) else { continue }
            total.transfers += ledger.transfers
            total.audits += ledger.audits
            total.violations += ledger.violations
        }
        return total
    }

    private func write(_ total: Ledger, _ sum: UInt64, to result: JSONWriter) throws(HeapError) {
        try result.beginObject()
        try result.field("accounts", accountCount)
        try result.field("transfers", total.transfers)
        try result.field("audits", total.audits)
        try result.field("sum", sum)
        try result.field("expectedSum", expectedSum)
        try result.field("violations", total.violations)
        try result.endObject()
    }
}
