import Testing

@testable import Cluster

struct EpitaphTests {
    private let console = """
        READY ticks=1
        EPITAPH vector=13 name=generalProtection error=0x0 rip=0x100500 cr2=0x0 rsp=0x9000
        EPITAPH END
        READY ticks=2

        EPITAPH vector=14 name=pageFault error=0x2 rip=0x0000000000101234 cr2=0xdead rsp=0x8000
        EPITAPH rax=0x1 rbx=0x2 rcx=0x3 rdx=0x4
        EPITAPH build=00112233445566778899aabbccddeeff
        EPITAPH caller=0x0000000000102000
        EPITAPH caller=0x0000000000103000
        EVENT 12 commit 5
        EVENT 13 fault 9
        EPITAPH END
        """

    @Test func theLastOneIsTaken() throws {
        let epitaph = try #require(Epitaph.last(in: console))
        #expect(epitaph.fields["vector"] == "14")
        #expect(epitaph.fields["rbx"] == "0x2")
        #expect(epitaph.fields["build"] == "00112233445566778899aabbccddeeff")
        #expect(epitaph.instruction == 0x101234)
        #expect(epitaph.callers == [0x102000, 0x103000])
        #expect(epitaph.flightRecorder == ["EVENT 12 commit 5", "EVENT 13 fault 9"])
        #expect(epitaph.isComplete)
        #expect(epitaph.summary.contains("pageFault"))
        #expect(epitaph.summary.contains("0xdead"))
    }

    @Test func reasonsAreQuoted() throws {
        let text = "EPITAPH reason=\"out of frames\"\nEPITAPH build=00\nEPITAPH END\n"
        let epitaph = try #require(Epitaph.last(in: text))
        #expect(epitaph.summary == "out of frames")
        #expect(epitaph.fields["build"] == "00")
    }

    @Test func anInterruptedOneIsSaidToBe() throws {
        let epitaph = try #require(Epitaph.last(in: "EPITAPH END\nEPITAPH vector=6 name=undefinedInstruction rip=0x1"))
        #expect(!epitaph.isComplete)
        #expect(epitaph.fields["vector"] == "6")
    }

    @Test(arguments: ["", "READY", "EPITAPH", "epitaph vector=1", "xEPITAPH vector=1"])
    func otherTextIsNone(text: String) {
        #expect(Epitaph.last(in: text) == nil)
        #expect(Epitaph.lastTrap(in: text) == nil)
    }

    @Test func aTrapIsTheLastBlock() throws {
        let text = """
            TRAP vector=6 name=undefinedInstruction rip=0x10
            TRAP caller=0x20
            TRAP vector=14 name=pageFault rip=0x30 cr2=0x40
            TRAP caller=0x50
            READY
            """
        let trap = try #require(Epitaph.lastTrap(in: text))
        #expect(trap.instruction == 0x30)
        #expect(trap.callers == [0x50])
        #expect(Epitaph.last(in: text) == nil)
    }

    /// A guest may write anything on its console.
    @Test(arguments: ["EPITAPH =", "EPITAPH a=\"", "EPITAPH caller=zz", "EPITAPH rip=", "EPITAPH \u{0}=\u{FFFD}"])
    func garbageIsSurvived(text: String) {
        _ = Epitaph.last(in: text + "\nEPITAPH END")
        _ = Epitaph.lastTrap(in: "TRAP vector=" + text)
    }
}
