import ArgumentParser
import Cluster
import Control
import Foundation
import Wire

struct Net: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Disturb, heal, or capture the cluster's Ethernet segment.",
        subcommands: [
            NetStatus.self, NetLoss.self, NetDuplicate.self, NetDelay.self, NetCut.self, NetHeal.self, NetCapture.self,
        ])
}

private func change(_ common: CommonOptions, _ body: (inout SegmentFaults) throws -> Void) async throws {
    let segment = try await common.cluster().segment()
    var faults = try await segment.sendPatiently(SegmentStatus()).faults
    try body(&faults)
    _ = try await segment.sendPatiently(SegmentSetFaults(faults: try faults.validated()))
    if common.json { try Terminal.show(json: faults) } else { Terminal.show(faults.words) }
}

extension SegmentFaults {
    /// The faults in one line.
    var words: String {
        var parts: [String] = []
        if lossPercent > 0 { parts.append("loss \(lossPercent.shortest) %") }
        if duplicationPercent > 0 { parts.append("duplication \(duplicationPercent.shortest) %") }
        if delayMicroseconds > 0 || jitterMicroseconds > 0 {
            let jitter = jitterMicroseconds > 0 ? " and up to \(Self.time(jitterMicroseconds)) more" : ""
            parts.append("delay \(Self.time(delayMicroseconds))\(jitter)")
        }
        parts += cuts.map { "cut \(stationName($0.first)) \($0.isOneWay ? "→" : "–") \(stationName($0.second))" }
        return parts.isEmpty ? "the segment is undisturbed" : parts.joined(separator: ", ")
    }
}

extension SegmentFaults {
    /// "500 µs", "2.5 ms".
    private static func time(_ microseconds: UInt64) -> String {
        microseconds < 1000 ? "\(microseconds) µs" : "\((Double(microseconds) / 1000).shortest) ms"
    }
}

/// "n1" for a node, "arbiter" for the arbiter.
private func stationName(_ number: UInt8) -> String {
    Station(number) == .arbiter ? "arbiter" : "n\(number)"
}

private func station(_ name: String) throws -> UInt8 {
    if name == "arbiter" { return Station.arbiter.number }
    return UInt8(try nodeNumber(name, maximum: Limits.maximumNodes))
}

extension Double {
    /// With as many digits behind the point as it needs, three at most.
    fileprivate var shortest: String {
        formatted(.number.precision(.fractionLength(0...3)).grouping(.never).locale(.init(identifier: "en_US")))
    }
}

/// A share, as "5%", "0.5%" or "5", which is 5 % too.
struct Percentage: ExpressibleByArgument {
    var value: Double

    init?(argument: String) {
        let digits = argument.hasSuffix("%") ? argument.dropLast() : argument[...]
        guard let value = Double(digits), (0...100).contains(value) else { return nil }
        self.value = value
    }

    /// - Throws: what is accepted.
    static func parse(_ text: String) throws -> Percentage {
        guard let share = Percentage(argument: text) else {
            throw ValidationError("a share lies between 0% and 100%, such as 5% or 0.05%")
        }
        return share
    }
}

/// A time, as "2ms", "500us" or "1s".
struct Span: ExpressibleByArgument {
    var microseconds: UInt64

    init?(argument: String) {
        let units: [(String, Double)] = [("us", 1), ("µs", 1), ("ms", 1000), ("s", 1_000_000)]
        guard let (unit, factor) = units.first(where: { argument.hasSuffix($0.0) }),
            let value = Double(argument.dropLast(unit.count)), value >= 0,
            value * factor <= Double(SegmentFaults.maximumDelayMicroseconds)
        else { return nil }
        microseconds = UInt64(value * factor)
    }

    /// - Throws: what is accepted.
    static func parse(_ text: String) throws -> Span {
        guard let span = Span(argument: text) else {
            let limit = SegmentFaults.maximumDelayMicroseconds / 1000
            throw ValidationError("a time has the unit us, ms or s and is at most \(limit) ms, such as 2ms or 500us")
        }
        return span
    }
}

struct NetStatus: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Show faults and the counters of each port.")

    @OptionGroup var common: CommonOptions

    func run() async throws {
        let status = try await common.cluster().segment().sendPatiently(SegmentStatus())
        if common.json { return try Terminal.show(json: status) }
        Terminal.show(status.faults.words)
        if let file = status.capture { Terminal.show("capturing into \(file)") }
        if let ending = status.captureEnding { Terminal.show(ending) }
        var table = Table(columns: [
            Table.Column(heading: "STATION"),
            Table.Column(heading: "FRAMES IN", isNumber: true),
            Table.Column(heading: "FRAMES OUT", isNumber: true),
            Table.Column(heading: "BYTES IN", rank: 1, isNumber: true),
            Table.Column(heading: "BYTES OUT", rank: 1, isNumber: true),
            Table.Column(heading: "LOST", isNumber: true),
            Table.Column(heading: "OVERFLOWED", rank: 2, isNumber: true),
            Table.Column(heading: "UNREACHABLE", rank: 2, isNumber: true),
            Table.Column(heading: "MALFORMED", rank: 2, isNumber: true),
        ])
        table.rows = status.ports.map { port in
            [stationName(port.station)]
                + [
                    port.framesIn, port.framesOut, port.bytesIn, port.bytesOut, port.lost, port.overflowed,
                    port.unreachable, port.malformed,
                ].map { "\($0)" }
        }
        for line in table.lines(width: Terminal.columns) { Terminal.show(line) }
    }
}

struct NetLoss: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "loss", abstract: "Lose a share of all frames.")

    @OptionGroup var common: CommonOptions

    @Argument(help: "The share, such as 5%; 0% ends it.", transform: Percentage.parse)
    var share: Percentage

    func run() async throws {
        try await change(common) { $0.lossPercent = share.value }
    }
}

struct NetDuplicate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "duplicate", abstract: "Deliver a share of all frames twice.")

    @OptionGroup var common: CommonOptions

    @Argument(help: "The share, such as 5%; 0% ends it.", transform: Percentage.parse)
    var share: Percentage

    func run() async throws {
        try await change(common) { $0.duplicationPercent = share.value }
    }
}

struct NetDelay: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "delay", abstract: "Hold every frame back; with a jitter, frames overtake each other.")

    @OptionGroup var common: CommonOptions

    @Argument(help: "The delay, such as 2ms or 500us.", transform: Span.parse)
    var delay: Span

    @Argument(help: "At most so much more, drawn for each frame.", transform: Span.parse)
    var jitter: Span?

    func run() async throws {
        try await change(common) {
            $0.delayMicroseconds = delay.microseconds
            $0.jitterMicroseconds = jitter?.microseconds ?? 0
        }
    }
}

struct NetCut: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cut", abstract: "Let two stations no longer reach each other, or one not the other.")

    @OptionGroup var common: CommonOptions

    @Argument(help: "One station: n1, n2, …, or arbiter.")
    var first: String

    @Argument(help: "The other.")
    var second: String

    @Flag(help: "Lose only what the first sends the second; the second still reaches the first.")
    var oneWay = false

    func validate() throws {
        guard first != second else { throw ValidationError("a station cannot be cut from itself: name two") }
    }

    func run() async throws {
        let (one, other) = (try station(first), try station(second))
        let cut = oneWay ? SegmentFaults.Cut(from: one, to: other) : SegmentFaults.Cut(one, other)
        let known = try await common.cluster().status().nodes.map(\.name) + ["arbiter"]
        for name in [cut.first, cut.second].map(stationName) where !known.contains(name) {
            throw Failure(
                .input, "there is no node \(name) to cut off", advice: "see \(try common.directory().hint("status"))",
                at: name)
        }
        try await change(common) { if !$0.cuts.contains(cut) { $0.cuts.append(cut) } }
    }
}

struct NetHeal: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "heal", abstract: "End all losses, duplications, delays and cuts.")

    @OptionGroup var common: CommonOptions

    func run() async throws {
        try await change(common) { faults in
            let seed = faults.seed
            faults = SegmentFaults()
            faults.seed = seed
        }
    }
}

struct NetCapture: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "capture", abstract: "Write all frames to a pcap file, until --stop. One at a time.",
        discussion: """
            A capture whose file can no longer be written, as on a full disk, ends by itself, and one whose segment \
            is started anew ends there: plurix net status and --stop say so, why, and how many frames the file holds \
            where that is known; the exit code of --stop is 69 then. Where nobody has asked, the next capture says it, \
            or plurix down.
            """)

    @OptionGroup var common: CommonOptions

    @Argument(help: "The file, such as cluster.pcap.", completion: .file())
    var file: String?

    @Flag(help: "End the capture that runs.")
    var stop = false

    func validate() throws {
        guard (file != nil) != stop else { throw ValidationError("name a FILE to write, or say --stop") }
    }

    func run() async throws {
        let path = file.map { URL(filePath: $0).standardizedFileURL.path(percentEncoded: false) }
        let reply = try await common.cluster().segment().send(SegmentCapture(file: path))
        if common.json { return try Terminal.show(json: reply) }
        if let ending = reply.captureEnding { Terminal.progress(ending) }
        let hint = try common.directory().hint("net capture --stop")
        if let path { return Terminal.show("capturing into \(path); end it with \(hint)") }
        Terminal.show(reply.frames.map { "the capture holds \($0) frames" } ?? "no capture was running")
    }
}
