import Control
import Foundation
import Store
import Testing
import Wire

@testable import PageServer

@Suite struct StoreDirectoryTests {
    /// A place for directories, removed at the end.
    private final class Place {
        let path = "/tmp/plurix-store-test-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"

        init() throws {
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
        }

        deinit {
            try? FileManager.default.removeItem(atPath: path)
        }

        func create(_ name: String = "s", segmentBytes: Int = 1 << 20) throws -> Store<StoreDirectory> {
            try .create(
                on: try StoreDirectory("\(path)/\(name)", for: .creating), cluster: 7, identity: 1,
                key: SipHash.Key(low: 2, high: 3),
                Geometry(pageCount: 1024, segmentBytes: segmentBytes, reserveBytes: 4096))
        }

        func open(_ name: String = "s") throws -> Store<StoreDirectory> {
            try .open(try StoreDirectory("\(path)/\(name)", for: .writing))
        }

        func bytes(_ file: String) throws -> Int {
            try FileManager.default.attributesOfItem(atPath: "\(path)/\(file)")[.size] as? Int ?? 0
        }

        func names(_ name: String = "s") throws -> [String] {
            try FileManager.default.contentsOfDirectory(atPath: "\(path)/\(name)").sorted()
        }
    }

    private static func page(_ byte: UInt8) -> [UInt8] { [UInt8](repeating: byte, count: Limits.pageBytes) }
    private static func time(_ counter: UInt64) -> GlobalTime { GlobalTime(epoch: 1, counter: counter) }

    private static func checkpoint(
        _ store: inout Store<StoreDirectory>, _ counter: UInt64, pages: Range<UInt32>
    ) throws {
        for page in pages {
            let bytes = Self.page(UInt8(truncatingIfNeeded: counter))
            try store.put(page, version: time(counter), bytes.span.bytes)
        }
        try store.commitCheckpoint(Checkpoint(time: time(counter), created: counter, isKept: true))
    }

    private static func read(
        _ store: inout Store<StoreDirectory>, _ page: UInt32, at counter: UInt64
    ) throws -> [UInt8] {
        var bytes = Self.page(0)
        var span = bytes.mutableSpan
        var raw = span.mutableBytes
        _ = try store.read(page, at: time(counter), into: &raw)
        return bytes
    }

    @Test func whatIsWrittenIsThere() throws {
        let place = try Place()
        do {
            var store = try place.create()
            try store.set([(4, [1, 2, 3])])
            for counter in 1...5 as ClosedRange<UInt64> { try Self.checkpoint(&store, counter, pages: 0..<200) }
        }
        let names = try place.names()
        #expect(names.first == "reserve")
        #expect(names.contains("segment.0000000000000001") && names.contains("segment.0000000000000004"))
        #expect(names.suffix(2) == ["superblock.0", "superblock.1"])
        var store = try place.open()
        let value = store.register(4)
        #expect(value == [1, 2, 3])
        for counter in 1...5 as ClosedRange<UInt64> {
            #expect(try Self.read(&store, 199, at: counter) == Self.page(UInt8(counter)))
        }
        let findings = try store.verify().findings
        #expect(findings == [])
        try store.forget((1...4).map { Self.time($0) })
        while try store.clean(budget: 1 << 20) {}
        #expect(try place.names().count <= 6)
        #expect(try Self.read(&store, 3, at: 5) == Self.page(5))
    }

    @Test func onlyOneUsesIt() throws {
        let place = try Place()
        let path = "\(place.path)/s"
        let store = try place.create()
        let problem = #expect(throws: Failure.self) { _ = try StoreDirectory(path, for: .writing).path }
        #expect(problem?.kind == .unavailable)
        #expect(throws: Failure.self) { _ = try StoreDirectory(path, for: .reading).path }
        let identity = store.identity
        #expect(identity == 1)
    }

    /// As by a program that is just being started with all open files of its parent.
    @Test func aLockThatIsAboutToGoIsWaitedFor() throws {
        let place = try Place()
        _ = try place.create()
        let descriptor = open("\(place.path)/s", O_RDONLY | O_DIRECTORY)
        #expect(flock(descriptor, LOCK_EX | LOCK_NB) == 0)
        Thread.detachNewThread {
            usleep(30_000)
            close(descriptor)
        }
        _ = try place.open()
    }

    /// Small flushes in a row find zeros where they write. Who opens the store after a kill sees none of them, and who
    /// ends it takes them away.
    @Test func smallFlushesFindRoom() throws {
        let place = try Place()
        var sizes: [Int] = []
        do {
            var store = try place.create()
            for counter in 1...20 as ClosedRange<UInt64> {
                try store.put(3, version: Self.time(counter), Self.page(UInt8(counter)).span.bytes)
                try store.endCheckpoint(Checkpoint(time: Self.time(counter), created: counter, isKept: false))
                try store.flush()
                sizes.append(try place.bytes("s/segment.0000000000000001"))
            }
            try FileManager.default.copyItem(atPath: place.path + "/s", toPath: place.path + "/killed")
        }
        #expect(zip(sizes, sizes.dropFirst()).count { $0 == $1 } > 10, "\(sizes)")
        #expect(try place.bytes("s/segment.0000000000000001") < sizes[19])
        for name in ["s", "killed"] {
            var store = try place.open(name)
            #expect(store.findings.isEmpty && store.checkpoints.last?.time == Self.time(20))
            #expect(try Self.read(&store, 3, at: 20) == Self.page(20))
        }
    }

    @Test func whatIsNoStoreIsRefused() throws {
        let place = try Place()
        let missing = #expect(throws: Failure.self) { _ = try StoreDirectory("\(place.path)/x", for: .writing).path }
        #expect(missing?.kind == .input)
        #expect(throws: StoreError.noStore) {
            _ = try Store.open(try StoreDirectory(place.path, for: .writing)).cluster
        }
        do { _ = try place.create().cluster }
        #expect(throws: StoreError.exists) { _ = try place.create().cluster }
        let cut = "\(place.path)/s/superblock.0"
        for name in ["superblock.0", "superblock.1"] {
            try Data([1, 2, 3]).write(to: URL(filePath: "\(place.path)/s/\(name)"))
        }
        #expect(FileManager.default.fileExists(atPath: cut))
        #expect(throws: StoreError.noStore) { _ = try place.open().cluster }
        // But somebody has lost one, or never got one: that is told.
        let damaged = #expect(throws: Failure.self) { try StoreExamination(of: "\(place.path)/s") }
        #expect(damaged?.kind == .fault && damaged?.message.contains("superblocks are damaged") == true)
    }

    @Test func anExaminationSaysWhatIsThereAndWhatIsWrong() throws {
        let place = try Place()
        let path = "\(place.path)/s"
        do {
            var store = try place.create()
            for counter in 1...3 as ClosedRange<UInt64> { try Self.checkpoint(&store, counter, pages: 0..<300) }
            let problem = #expect(throws: Failure.self) { try StoreExamination(of: path) }
            #expect(problem?.kind == .unavailable)
        }
        let found = try StoreExamination(of: path)
        #expect(found.sound && found.findings.isEmpty)
        #expect(found.checkpoints.map(\.counter) == [1, 2, 3])
        #expect(found.pages == 900 && found.neededPages == 900)
        let file = URL(filePath: "\(path)/segment.0000000000000002")
        var bytes = try Data(contentsOf: file)
        bytes[5000] ^= 1
        try bytes.write(to: file)
        let damaged = try StoreExamination(of: path)
        #expect(!damaged.sound)
        #expect(damaged.findings.contains { $0.contains("segment.0000000000000002 is damaged at byte") })
        let nothing = #expect(throws: Failure.self) { try StoreExamination(of: place.path) }
        #expect(nothing?.kind == .input)
    }

    @Test func aStoreMovesAsOneFile() throws {
        let place = try Place()
        do {
            var store = try place.create()
            for counter in 1...3 as ClosedRange<UInt64> { try Self.checkpoint(&store, counter, pages: 0..<300) }
        }
        let file = "\(place.path)/export"
        let count = try StoreTransfer.export("\(place.path)/s", to: file)
        let whole = try Data(contentsOf: URL(filePath: file))
        #expect(whole.count == count)
        let taken = #expect(throws: Failure.self) { try StoreTransfer.export("\(place.path)/s", to: file) }
        #expect(taken?.kind == .input && taken?.message == "\(file) exists already, and is not overwritten")
        #expect(try Data(contentsOf: URL(filePath: file)) == whole)
        for inside in ["s/export", "s/superblock.0", "s/../s/export"].map({ "\(place.path)/\($0)" }) {
            let failure = #expect(throws: Failure.self) { try StoreTransfer.export("\(place.path)/s", to: inside) }
            #expect(failure?.kind == .input && failure?.message.contains("inside of the store") == true)
        }
        #expect(!(try place.names().contains("export")))
        try StoreTransfer.import(file, into: "\(place.path)/t")
        var moved = try place.open("t")
        #expect(try Self.read(&moved, 7, at: 2) == Self.page(2))
        #expect(throws: Failure.self) { try StoreTransfer.import(file, into: "\(place.path)/s") }
        #expect(try StoreExamination(of: "\(place.path)/s").sound, "what was there is as it was")
        try whole.dropLast(100).write(to: URL(filePath: file))
        let problem = #expect(throws: Failure.self) { try StoreTransfer.import(file, into: "\(place.path)/u") }
        #expect(problem?.kind == .input)
        #expect(!FileManager.default.fileExists(atPath: "\(place.path)/u"))
        // A directory can be opened as if it were a file.
        let folder = #expect(throws: Failure.self) { try StoreTransfer.import(place.path, into: "\(place.path)/u") }
        #expect(folder?.kind == .input && folder?.message.contains("Is a directory") == true)
        #expect(!FileManager.default.fileExists(atPath: "\(place.path)/u"))
        try FileManager.default.createDirectory(atPath: "\(place.path)/v", withIntermediateDirectories: false)
        #expect(throws: Failure.self) { try StoreTransfer.import(file, into: "\(place.path)/v") }
        #expect(try place.names("v") == [], "what was there stays")
    }

    @Test func terminalsAreRefused() throws {
        let terminal = open("/dev/ptmx", O_RDWR | O_NOCTTY)
        defer { close(terminal) }
        try #require(terminal >= 0)
        let words = "import - d < FILE"
        let problem = #expect(throws: Failure.self) { try StoreTransfer.refuse(terminal: terminal, words) }
        #expect(problem?.kind == .usage && problem?.advice?.contains("plurix store \(words)") == true)
        let nothing = open("/dev/null", O_RDWR)
        defer { close(nothing) }
        try StoreTransfer.refuse(terminal: nothing, "")
    }

    @Test func whereNothingCanBeWrittenIsTold() throws {
        let place = try Place()
        do { _ = try place.create().cluster }
        let nowhere = #expect(throws: Failure.self) { try StoreTransfer.export("\(place.path)/s", to: "/dev/null/x") }
        #expect(nowhere?.kind == .input && nowhere?.message.contains("Not a directory") == true)
        #expect(Failure(.disk(.denied, .superblock(0)), store: "/a b").advice?.contains("export '/a b' FILE") == true)
    }

    /// A process with too many open files has no failing disk.
    @Test(arguments: [(EMFILE, "ulimit -n"), (ENFILE, "fs.file-max")])
    func tooManyOpenFilesAreNoFaultOfTheDisk(code: Int32, remedy: String) {
        let failure = Failure(.disk(.failed(code), .segment(1)), store: "/s")
        #expect(failure.kind == .unavailable && failure.advice?.contains(remedy) == true)
        #expect(!failure.description.contains("disk") && failure.message.contains("open"))
        let other = Failure(.disk(.failed(EIO), .segment(1)), store: "/s")
        #expect(other.kind == .fault && other.description.contains("disk"))
    }

    /// A fork has the same files under a second name; neither side notices what the other does.
    @Test func aForkSharesFiles() throws {
        let place = try Place()
        var store = try place.create()
        for counter in 1...3 as ClosedRange<UInt64> { try Self.checkpoint(&store, counter, pages: 0..<300) }
        var fork = try store.fork(
            at: Self.time(2), into: try StoreDirectory("\(place.path)/f", for: .creating), cluster: 8, identity: 9)
        var facts = stat()
        #expect(stat("\(place.path)/f/segment.0000000000000001", &facts) == 0)
        #expect(facts.st_nlink == 2)
        try Self.checkpoint(&store, 10, pages: 0..<300)
        try Self.checkpoint(&fork, 20, pages: 0..<10)
        #expect(try Self.read(&fork, 5, at: 20) == Self.page(20))
        #expect(try Self.read(&fork, 50, at: 20) == Self.page(2))
        #expect(try Self.read(&store, 50, at: 10) == Self.page(10))
        #expect(throws: StoreError.noCheckpoint) { _ = try Self.read(&fork, 5, at: 3) }
    }
}
