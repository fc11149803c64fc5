import Glibc

extension Simulate {
    /// Ends the process with a code of sysexits.h, after what was printed has gone out.
    static func exit(with code: Int32) -> Never {
        fflush(nil)
        Glibc.exit(code)
    }
}
