import Heap

/// What a program answers after a step.
public enum Step: Equatable {
    /// Commit, and call again.
    case again
    /// Commit; this part is finished.
    case done
    /// Commit, and call again when another node has changed a page that this step read.
    case wait
    /// Commit, and call again when the commit is saved: whatever crashes, it is not undone any more. That waits for a
    /// flush of the disk, which all that commit meanwhile share (group commit).
    case durably
    /// Undo this step and call it again, with the next `attempt`.
    case abandon
    /// Undo this step, ask the arbiter how far the memory is (2 frames), and call the step again when this node is as
    /// far: `Context.isStrict` is true then.
    case strictly
    /// Undo this step and end the job, with a reason that the user sees.
    case failed(StaticName)
}

/// A program of the image: a value made from its arguments, whose methods are single transactions.
///
/// A step sees a consistent memory, and what it writes becomes visible on all nodes at once or never. A
/// step may run several times before it commits, on this node or, after a crash, on another one; so
/// everything that a program knows from one step to the next lies in the shared memory: in its node's
/// own state (`Context.own`), in the state common to the job (`Context.common`), or in what it allocated.
///
/// `Counter` is the smallest example.
public protocol Program {
    /// What the user types.
    static var name: StaticString { get }
    /// The arguments, for `--help`: "N [--continue]".
    static var usage: StaticString { get }
    /// One line, for the list of programs.
    static var summary: StaticString { get }
    /// Is the first argument a file, whose bytes the host places in the memory? It is not among the
    /// arguments that the program sees.
    static var takesFile: Bool { get }
    /// Which layout its steps give to what they keep in the shared memory, from 1 on: another number for another
    /// layout, so that a state that another build has saved is refused and not misread. 1 when left out.
    static var format: UInt32 { get }

    /// Takes the arguments, on the host too, before anything starts.
    init(_ arguments: inout Arguments) throws(ArgumentError)

    /// Sets up what all nodes share: run by one node, before any other does a step.
    func prepare(_ context: Context) throws(HeapError) -> Step
    /// One transaction of a node's part.
    func step(_ context: Context) throws(HeapError) -> Step
    /// Writes `Context.result`: run by one node, after all parts are done.
    func finish(_ context: Context) throws(HeapError) -> Step
}

extension Program {
    public static var takesFile: Bool { false }
    public static var format: UInt32 { 1 }

    public func prepare(_ context: Context) throws(HeapError) -> Step { .done }
}

/// The methods of a program.
enum ProgramMethod {
    case prepare, step, finish
}

/// A program as a value, so that there can be a table of them.
public struct ProgramEntry {
    public let name: StaticString
    public let usage: StaticString
    public let summary: StaticString
    public let takesFile: Bool
    public let format: UInt32
    private let initialise: (inout Arguments) throws(ArgumentError) -> Void
    let call: (ProgramMethod, Context) throws(HeapError) -> Step

    public init<P: Program>(_: P.Type) {
        name = P.name
        usage = P.usage
        summary = P.summary
        takesFile = P.takesFile
        format = P.format
        initialise = { arguments throws(ArgumentError) in
            _ = try P(&arguments)
            try arguments.end()
        }
        call = { method, context throws(HeapError) in
            var arguments = context.arguments
            let program: P
            do throws(ArgumentError) {
                program = try P(&arguments)
            } catch {
                return .failed("the program does not accept these arguments")
            }
            switch method {
            case .prepare: return try program.prepare(context)
            case .step: return try program.step(context)
            case .finish: return try program.finish(context)
            }
        }
    }

    /// Checks arguments (without the file) on the host, before anything starts.
    public func check(_ arguments: [[UInt8]]) throws(ArgumentError) {
        try Arguments.check(arguments, initialise)
    }
}

/// The programs of an image: a closed set.
public protocol ProgramSet {
    static var count: Int { get }
    /// The program at an index below `count`.
    static func program(at index: Int) -> ProgramEntry
}

extension ProgramSet {
    /// All of them, in order.
    public static var all: [ProgramEntry] { (0..<count).map { program(at: $0) } }

    /// The program whose name is these bytes of the memory.
    static func find(_ name: SharedBytes, in memory: SharedMemory) -> ProgramEntry? {
        for index in 0..<count where program(at: index).name.equals(name, in: memory) {
            return program(at: index)
        }
        return nil
    }
}
