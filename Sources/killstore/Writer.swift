import Glibc
import PageServer
import Simulation
import Store

/// The process that is killed. It opens the store that is there, goes on with it without end, and tells on its output
/// what it is about to do, and what is done for good.
struct Writer {
    private let path: String
    private let seed: UInt64

    init(_ path: String, seed: UInt64) {
        self.path = path
        self.seed = seed
    }

    func run() -> Never {
        do {
            Word.opening.tell()
            // Flushes take most of the time, and a killed process needs none: every other writer does without, so that
            // it is met at other things.
            let isVolatile = seed % 2 == 1
            var store = try Store.open(try StoreDirectory(path, for: .writing, isVolatile: isVolatile))
            var workload = KillRun.workload(seed, from: try store.picture())
            Word.opened.tell()
            while true {
                let step = workload.next()
                workload.trim()
                Word.begun(Moment(step)).tell()
                try step.perform(&store)
                if step.isBarrier { Word.acknowledged.tell() }
            }
        } catch {
            print("\(error)")
            fflush(nil)
            exit(70)
        }
    }
}

/// What a writer is in the middle of.
enum Moment: UInt8, CaseIterable {
    case recovering = 1, writing, flushing, cleaning

    init(_ step: StoreStep) {
        switch step {
        case .clean: self = .cleaning
        case .submit, .flush, .settle: self = .flushing
        case .set, .put, .end, .abandon, .forget, .expire, .retain: self = .writing
        }
    }
}

/// What a writer tells, one byte each: a killed process leaves whole ones in the pipe.
enum Word: Equatable {
    case opening
    case opened
    /// The next step begins.
    case begun(Moment)
    /// All steps up to the last begun one survive this process.
    case acknowledged

    var byte: UInt8 {
        switch self {
        case .opening: 0x10
        case .opened: 0x11
        case .acknowledged: 0x12
        case .begun(let moment): moment.rawValue
        }
    }

    init?(_ byte: UInt8) {
        switch byte {
        case 0x10: self = .opening
        case 0x11: self = .opened
        case 0x12: self = .acknowledged
        default:
            guard let moment = Moment(rawValue: byte) else { return nil }
            self = .begun(moment)
        }
    }

    func tell() {
        var byte = byte
        // Without a reader there is nobody left to write for.
        if write(1, &byte, 1) != 1 { exit(71) }
    }
}
