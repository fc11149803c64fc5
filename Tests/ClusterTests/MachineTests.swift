import Control
import Foundation
import Testing
import Wire

@testable import Cluster

struct MachineDefinitionTests {
    private func definition(_ nic: ClusterDescription.Nic) throws -> MachineDefinition {
        MachineDefinition(
            description: ClusterDescription(
                name: "t", identifier: 1, key: ClusterKey.random(), nic: nic, memoryMebibytes: 64, sharedMebibytes: 8,
                accelerator: .tcg, connect: "qemu:///embed", image: "/i/node.elf", maximumFrameBytes: 1514,
                storage: .init(directory: "/s", isVolatile: false)),
            node: 10, image: "/a&b/<node>'.elf", directory: try RunDirectory(name: "t", base: "/tmp/x"),
            emulator: "/usr/bin/qemu", firmware: "/fw")
    }

    private func template() throws -> String {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        return try String(contentsOf: root.appending(path: "Images/node-domain.xml"), encoding: .utf8)
    }

    @Test func theTemplateIsFilled() throws {
        let xml = try definition(.virtio).xml(template: template())
        #expect(xml.contains("<name>plurix-t-n10</name>"))
        #expect(xml.contains("<domain type='qemu'"))
        #expect(xml.contains("mac=02:50:4c:58:00:0a"))
        #expect(xml.contains("virtio-net-pci,"))
        #expect(xml.contains("<kernel>/a&amp;b/&lt;node>&apos;.elf</kernel>"))
        #expect(xml.contains("local.path=/tmp/x/t/n10,remote.type=unix,remote.path=/tmp/x/t/s10"))
        #expect(!xml.contains("{{"))
        #expect(try definition(.rtl8139).xml(template: template()).contains("'rtl8139,"))
    }

    @Test func anUnknownGapIsAFault() throws {
        #expect(throws: Failure.self) { try definition(.virtio).xml(template: "<a>{{NOBODY}}</a>") }
    }

    @Test func domainNamesAreFoundAgain() {
        #expect(MachineDefinition.node(ofDomain: "plurix-a-n7", cluster: "a") == 7)
        #expect(MachineDefinition.node(ofDomain: "plurix-a-b-n7", cluster: "a") == nil)
        #expect(MachineDefinition.node(ofDomain: "other", cluster: "a") == nil)
    }

    @Test func emulatorsAreFoundByTheirWords() throws {
        let directory = try RunDirectory(name: "a", base: "/tmp/x")
        func node(_ words: String...) -> Int? { Emulators.node(words, in: directory) }
        #expect(node("qemu", "-name", "guest=plurix-a-n7,debug-threads=on", "-initrd", "/tmp/x/a/n7.module") == 7)
        #expect(node("qemu", "-name", "guest=plurix-a-n7", "-initrd", "/tmp/y/a/n7.module") == nil)
        #expect(node("qemu", "-name", "guest=plurix-b-n7", "-initrd", "/tmp/x/a/n7.module") == nil)
        #expect(node("less", "/tmp/x/a/n7.log") == nil)
        #expect(node() == nil)
    }

    @Test func nodeNames() throws {
        #expect(try nodeNumber("n1", maximum: 64) == 1)
        #expect(try nodeNumber("n64", maximum: 64) == 64)
        for name in ["", "n", "n0", "n65", "n01", "n+1", "N1", "1", "n1 ", "n-1", "n99999999999999999999"] {
            #expect(throws: Failure.self) { try nodeNumber(name, maximum: 64) }
        }
    }
}

struct ClusterKeyTests {
    @Test func digitsAndBytesAgree() throws {
        let key = try #require(ClusterKey(hexadecimal: "000102030405060708090a0b0c0d0e0F"))
        #expect(key.bytes == Array(0...15))
        #expect(key.halves.low == 0x0706_0504_0302_0100)
        #expect(key.halves.high == 0x0F0E_0D0C_0B0A_0908)
        let again = try JSONDecoder().decode(ClusterKey.self, from: JSONEncoder().encode(key))
        #expect(again == key)
        for text in ["", "00", "zz0102030405060708090a0b0c0d0e0f", "000102030405060708090a0b0c0d0e0f00"] {
            #expect(ClusterKey(hexadecimal: text) == nil)
        }
    }

    @Test func keysDiffer() {
        #expect(Set((0..<100).map { _ in ClusterKey.random().bytes }).count == 100)
    }
}

struct ProcessIdentityTests {
    @Test func thisProcessLives() throws {
        let identity = try #require(ProcessIdentity(of: getpid()))
        #expect(identity.isAlive)
        let age = Date().timeIntervalSince1970 - Double(identity.startedAt) / 1e6
        #expect(age > -0.1 && age < 3600)
        let again = try JSONDecoder().decode(ProcessIdentity.self, from: JSONEncoder().encode(identity))
        #expect(again == identity)
    }

    @Test func endedProcessesAndOtherStartsDoNot() throws {
        let process = Process()
        process.executableURL = URL(filePath: "/bin/sleep")
        process.arguments = ["60"]
        try process.run()
        let identity = try #require(ProcessIdentity(of: process.processIdentifier))
        // Until it has become another program it has the words of this one.
        for _ in 0..<1000 where !ProcessIdentity.commandLine(of: process.processIdentifier, contains: "sleep") {
            usleep(1000)
        }
        #expect(ProcessIdentity.commandLine(of: process.processIdentifier, contains: "sleep"))
        identity.signal(SIGKILL)
        process.waitUntilExit()
        #expect(!identity.isAlive)
        #expect(ProcessIdentity(of: process.processIdentifier) == nil)
        #expect(ProcessIdentity(of: 0) == nil)
        #expect(ProcessIdentity(of: -1) == nil)
    }
}

struct ProbeImageTests {
    @Test func itIsAnELFFileWithANote() {
        let bytes = ProbeImage.bytes
        #expect(bytes.prefix(4) == [0x7F, 0x45, 0x4C, 0x46])
        #expect(bytes[116...].starts(with: [4, 0, 0, 0, 4, 0, 0, 0, 18, 0, 0, 0] + Array("Xen\0".utf8)))
        #expect(bytes.count == 155)
    }
}
