import Glibc

extension Simulate {
    /// Prints a line at once: who reads it must know where this process was when it dies.
    static func say(_ line: String) {
        print(line)
        fflush(nil)
    }

    /// Writes a file; false when that is not possible.
    static func write(_ bytes: [UInt8], to path: String) -> Bool {
        guard let file = fopen(path, "w") else { return false }
        let isWritten = fwrite(bytes, 1, bytes.count, file) == bytes.count
        return fclose(file) == 0 && isWritten
    }

    /// Ends the process with a code of sysexits.h, after what was printed has gone out.
    static func exit(with code: Int32) -> Never {
        fflush(nil)
        Glibc.exit(code)
    }
}
