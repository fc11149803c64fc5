/// Two open files that travel with a datagram; -1 where none did.
struct PassedFiles {
    var first: Int32 = -1
    var second: Int32 = -1
}
