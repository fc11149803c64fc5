import Glibc

/// One thing that reads what others wrote: a name, and a check of one input. The check ends the process where the code
/// under test, or a promise about it, is broken.
struct Target: Sendable {
    let name: String
    /// Bytes of the longest input that is worth trying.
    let longest: Int
    let check: @Sendable ([UInt8]) -> Void

    init(_ name: String, longest: Int, _ check: @escaping @Sendable ([UInt8]) -> Void) {
        self.name = name
        self.longest = longest
        self.check = check
    }

    static let all = [
        frames, bootModule, endpoint, commitLog, node, arbiter,
        rtl8139, virtio, configuration,
        arguments, command, jobState,
        store, archive, history, records, settings,
    ]

    /// The one that the environment names.
    static let chosen: Target = {
        let name = getenv("FUZZ_TARGET").map { String(cString: $0) } ?? ""
        guard let target = all.first(where: { $0.name == name }) else { broken("there is no target \"\(name)\"") }
        return target
    }()
}

/// `FUZZ_TARGET=list` prints the targets, one in a line with the bytes of its longest input.
@_cdecl("LLVMFuzzerInitialize")
public func initialise(_ count: UnsafeMutableRawPointer, _ arguments: UnsafeMutableRawPointer) -> CInt {
    if getenv("FUZZ_TARGET").map({ String(cString: $0) }) == "list" {
        for target in Target.all { print(target.name, target.longest) }
        exit(0)
    }
    _ = Target.chosen
    return 0
}

/// What libFuzzer calls with each input.
@_cdecl("LLVMFuzzerTestOneInput")
public func test(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    Target.chosen.check([UInt8](UnsafeBufferPointer(start: bytes, count: count)))
    return 0
}

/// A promise that must hold whatever the input is.
func require(_ isKept: Bool, _ promise: @autoclosure () -> String, file: StaticString = #file, line: UInt = #line) {
    if !isKept { broken(promise(), file: file, line: line) }
}

/// Ends the process with a sentence; libFuzzer then keeps the input.
func broken(_ promise: String, file: StaticString = #file, line: UInt = #line) -> Never {
    fatalError("broken: \(promise)", file: file, line: line)
}
