import Simulation
import Testing

@testable import simulate

/// The words of the command line.
struct OptionsTests {
    private func options(_ line: String) throws(OptionError) -> Options {
        try Options(line.split(separator: " ").map(String.init)[...])
    }

    @Test func aBatch() throws {
        let found = try options("--seeds 20 --from 7 --jobs 3 --nodes 8 --until-failure --frames --seconds 9")
        #expect(found.count == 20 && found.first == 7 && found.jobs == 3 && found.nodes == 8 && found.seconds == 9)
        #expect(found.stopsAtFailure && found.showsFrames && found.seed == nil)
        let fresh = try options("")
        #expect(fresh.count == 500 && fresh.trouble == .all && fresh.seed == nil && fresh.restriction.faults == nil)
    }

    @Test func aReplay() throws {
        let found = try options("42 --without loss,lulls --faults 3,1 --calm 100 --trace --history f")
        #expect(found.seed == 42 && found.isTraced && found.history == "f")
        #expect(found.restriction.without == [.loss, .lulls])
        #expect(found.restriction.faults == [3, 1] && found.restriction.calmAfter == 100)
        #expect(try options("42 --faults none").restriction.faults == [])
    }

    /// What a failure's report tells to type repeats just that run.
    @Test func theWordsOfAReplayMeanTheSame() throws {
        let batch = try options("--nodes 4 --trouble 4095")
        var restriction = Restriction()
        restriction.without = [.ghosts, .siege]
        restriction.calmAfter = 77
        for faults in [nil, [], [0], [2, 5, 9]] as [[Int]?] {
            restriction.faults = faults
            let again = try Options(batch.words(99, restriction)[...])
            #expect(again.seed == 99 && again.nodes == 4 && again.trouble == Trouble(rawValue: 4095))
            #expect(again.restriction.without == restriction.without && again.restriction.calmAfter == 77)
            #expect(again.restriction.faults == faults)
        }
    }

    @Test(arguments: [
        ("--seeds", "--seeds takes a number, not ''"),
        ("--seeds 0", "--seeds takes 1 to 1000000000, not 0"),
        ("--seeds many", "--seeds takes a number, not 'many'"),
        ("--nodes 9", "--nodes takes 1 to 8, not 9"),
        ("--from 18446744073709551615", "--from takes 0 to 9223372036854775807, not 18446744073709551615"),
        ("--wihtout loss", "'--wihtout' is no option"),
        ("-5", "'-5' is no option"),
        ("4x", "'4x' is no seed: a seed is a number"),
        ("4 5", "one seed is replayed at a time"),
        ("4 --faults", "--faults takes places of the script"),
        ("4 --faults 1,,2", "--faults takes places of the script, not ''"),
        ("4 --history", "--history takes a file"),
    ])
    func whatIsWrongIsSaid(line: String, text: String) {
        #expect(throws: OptionError(text)) { try options(line) }
    }

    @Test func unknownKindsAreNamed() {
        let error = #expect(throws: OptionError.self) { try options("4 --without los") }
        #expect(error?.text.hasPrefix("--without takes of loss,") == true)
        #expect(error?.text.hasSuffix(", not 'los'") == true)
    }
}
