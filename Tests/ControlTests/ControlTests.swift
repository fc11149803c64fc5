import Foundation
import Logging
import Testing

@testable import Control

private struct Echo: ControlRequest {
    static let operation = "echo"
    typealias Reply = Echo
    var text: String
}

private struct Refuse: ControlRequest {
    static let operation = "refuse"
    typealias Reply = Done
}

private struct Hang: ControlRequest {
    static let operation = "hang"
    typealias Reply = Done
}

struct ControlTests {
    private let path = "/tmp/plurix-control-test-\(getpid())-\(UInt32.random(in: 0...UInt32.max)).sock"

    private func withServer(_ body: (ControlClient) async throws -> Void) async throws {
        var server = ControlServer(path: path, logger: Logger(label: "test"))
        server.on(Echo.self) { $0 }
        server.on(Refuse.self) { _ in throw Failure(.input, "no", advice: "try another", at: "here") }
        server.on(Hang.self) { _ in
            try await Task.sleep(for: .seconds(60))
            return Done()
        }
        let (ready, isReady) = AsyncStream.makeStream(of: Void.self)
        try await withThrowingTaskGroup { [server] group in
            group.addTask { try await server.run { isReady.yield() } }
            for await _ in ready { break }
            try await body(ControlClient(path: path))
            group.cancelAll()
        }
        unlink(path)
    }

    @Test(arguments: ["", "line\nbreak", "\u{1F600} ü"], [1, 300_000])
    func repliesComeBack(piece: String, count: Int) async throws {
        let text = String(repeating: piece, count: count)
        try await withServer { client in
            let reply = try await client.send(Echo(text: text))
            #expect(reply.text == text)
        }
    }

    @Test func manyAtOnce() async throws {
        try await withServer { client in
            try await withThrowingTaskGroup(of: Bool.self) { group in
                for number in 0..<50 {
                    group.addTask { try await client.send(Echo(text: "\(number)")).text == "\(number)" }
                }
                for try await isRight in group { #expect(isRight) }
            }
        }
    }

    @Test func failuresCross() async throws {
        try await withServer { client in
            let failure = await #expect(throws: Failure.self) { try await client.send(Refuse()) }
            #expect(failure == Failure(.input, "no", advice: "try another", at: "here"))
        }
    }

    @Test func silenceTimesOut() async throws {
        try await withServer { client in
            let failure = await #expect(throws: Failure.self) {
                try await client.send(Hang(), limit: .milliseconds(50))
            }
            #expect(failure?.kind == .timeout)
            let named = ControlClient(path: client.path) {
                ControlClient.Silence(name: "the cook", advice: "wake him")
            }
            let words = await #expect(throws: Failure.self) {
                try await named.send(Hang(), limit: .milliseconds(120))
            }
            #expect(words?.description == "the cook has not answered \"\(Hang.operation)\" within 0.1 s; wake him")
            #expect(words?.place == client.path)
        }
    }

    /// The limit alone would let this take a minute.
    @Test func nobodyWaitsForAServerThatIsStopped() async throws {
        try await withServer { client in
            let named = ControlClient(path: client.path) {
                ControlClient.Silence(name: "the cook", advice: "wake him", isStopped: true)
            }
            let words = await #expect(throws: Failure.self) { try await named.send(Hang(), limit: .seconds(50)) }
            #expect(words?.kind == .timeout && words?.description.hasSuffix("; wake him") == true)
            #expect(words?.message.contains("within 50 s") == false)
        }
    }

    @Test func nobodyThere() async throws {
        let failure = await #expect(throws: Failure.self) { try await ControlClient(path: path).send(Refuse()) }
        #expect(failure?.kind == .unavailable)
    }

    @Test func garbageIsAnsweredWithAFailure() throws {
        #expect(throws: Failure.self) { try ControlLine.operation(of: Data("rubbish".utf8)) }
        #expect(try ControlLine.operation(of: ControlLine.encode(Echo(text: "a"))) == "echo")
        #expect(throws: Failure.self) { try ControlLine.decodeAnswer(Done.self, from: Data("{}".utf8)) }
    }
}

struct RunDirectoryTests {
    @Test(arguments: ["plurix", "a", "A-1_b", "123456789012345678901234"])
    func goodNames(name: String) throws {
        #expect(try RunDirectory(name: name, base: "/tmp/x").path == "/tmp/x/\(name)")
    }

    @Test(arguments: ["", "-a", "a/b", "..", "a b", "ü", "1234567890123456789012345"])
    func badNames(name: String) {
        let failure = #expect(throws: Failure.self) { try RunDirectory(name: name, base: "/tmp/x") }
        #expect(failure?.kind == .usage)
    }

    @Test func tooLongABase() {
        let failure = #expect(throws: Failure.self) {
            try RunDirectory(name: "a", base: "/tmp/" + String(repeating: "x", count: 80))
        }
        #expect(failure?.kind == .input)
    }

    @Test func hintsNameTheCluster() throws {
        #expect(try RunDirectory(name: "plurix", base: "/tmp/x").hint("status") == "plurix status")
        #expect(try RunDirectory(name: "a", base: "/tmp/x").hint("logs n1") == "plurix logs n1 --name a")
    }

    @Test func whatIsCopiedIntoAShellIsOneWordThere() {
        for plain in ["/a/b.c", "a-b_c", "1:2", "n1,n2", "/tmp/ü"] { #expect(plain.quoted == plain) }
        #expect("/my stores/a".quoted == "'/my stores/a'")
        #expect("it's".quoted == "'it'\\''s'")
        #expect("".quoted == "''" && "$HOME".quoted == "'$HOME'" && "~/a".quoted == "'~/a'")
    }

    @Test func whatCannotBeSeenIsEscaped() {
        for text in ["", "a b", "größer", "前", "\u{1F600}", "e\u{301}"] {
            #expect(text.isPrintable && text.printable == text)
        }
        let hidden = [
            "\u{3164}": "3164", "a\u{200B}": "200B", "\u{1B}[31m": "1B", "\u{7F}": "7F", "\u{301}a": "301",
            "a\u{2800}": "2800", "a\u{A0}b": "A0", "\u{E000}": "E000", "\u{FFA0}": "FFA0", "\u{2028}": "2028",
            "\u{202E}x": "202E", "\u{FE0F}": "FE0F", "\u{FFFD}": "FFFD",
        ]
        for (text, number) in hidden {
            #expect(!text.isPrintable && text.printable.contains("\\u{\(number)}") && text.printable.isPrintable)
        }
        #expect("a\u{200B}b\n".printable == "a\\u{200B}b\\u{A}")
    }

    @Test func aFileIsReplacedOrNot() throws {
        let path = "/tmp/plurix-file-test-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"
        defer { unlink(path) }
        for text in ["a longer one", "short", ""] {
            try RunDirectory.replace(path, with: Data(text.utf8))
            #expect(try String(contentsOfFile: path, encoding: .utf8) == text)
        }
        DispatchQueue.concurrentPerform(iterations: 100) { number in
            #expect(throws: Never.self) { try RunDirectory.replace(path, with: Data("\(number)".utf8)) }
        }
        let failure = #expect(throws: Failure.self) { try RunDirectory.replace(path + "/x", with: Data()) }
        #expect(failure?.kind == .unavailable)
        #expect(failure?.place == path + "/x")
        #expect(RunDirectory.unwritable("/a/b", ENOSPC).description.hasSuffix("make room on the file system of /a"))
    }

    @Test func theSameIsNotedOnce() {
        let path = "/tmp/plurix-notice-test-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"
        defer { unlink(path) }
        let file = NoticeFile(path)
        for words in ["it died", "he said that it died", "it died", "it died again", "it died again"] {
            file.appendOnce(words)
        }
        let found = file.lines.map { $0.drop { $0 != " " }.dropFirst() }
        #expect(found == ["it died", "he said that it died", "it died again"])
        file.append(NoticeFile.line("it died"))
        #expect(file.lines.count == 4)
    }

    @Test func oneHolderOfALock() throws {
        let path = "/tmp/plurix-lock-test-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"
        defer { unlink(path) }
        let first = try ProcessLock.take(path)
        let wasFirst = first != nil
        #expect(wasFirst)
        #expect(try !isFree(path))
        _ = consume first
        #expect(try isFree(path))
    }

    private func isFree(_ path: String) throws -> Bool { try ProcessLock.take(path) != nil }
}

struct JSONValueTests {
    @Test func roundTrip() throws {
        let text = #"{"a":[1,2.5,"x",null,true],"b":{"c":-9223372036854775808}}"#
        let value = try JSONDecoder().decode(JSONValue.self, from: Data(text.utf8))
        #expect(value["a"] == .array([.integer(1), .number(2.5), .string("x"), .null, .boolean(true)]))
        #expect(value["b"]?["c"] == .integer(.min))
        let again = try JSONDecoder().decode(JSONValue.self, from: JSONEncoder().encode(value))
        #expect(again == value)
    }
}
