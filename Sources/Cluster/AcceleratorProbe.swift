import Control
import Foundation

/// Finds out whether KVM really accelerates here. That `/dev/kvm` exists says little: under a paravirtual or nested KVM
/// a guest may crawl or QEMU may abort. So a tiny image runs under a time limit, once for each user and QEMU.
public struct AcceleratorProbe: Sendable {
    /// The answer and how it was found.
    public struct Answer: Codable, Sendable {
        public var accelerator: ClusterDescription.Accelerator
        public var reason: String
    }

    private let emulator: String
    private let firmware: String

    /// The image's loop takes 20 to 50 ms under TCG; real KVM needs less, with all of QEMU's start-up.
    private static let limit: Duration = .milliseconds(1500)

    public init(_ installation: Installation) throws(Failure) {
        emulator = try installation.emulator()
        firmware = try installation.firmware()
    }

    /// The remembered answer, or a new one.
    public func answer() -> Answer {
        let file = Installation.cacheDirectory().map {
            "\($0)/accelerator-\(getuid())-\(Installation.emulatorFingerprint(emulator)).json"
        }
        let remembered = file.flatMap { FileManager.default.contents(atPath: $0) }
        if let answer = remembered.flatMap({ try? JSONDecoder().decode(Answer.self, from: $0) }) {
            // Leave to open the device may have come or gone meanwhile; that is looked up, not remembered.
            if answer.accelerator == .tcg || access("/dev/kvm", R_OK | W_OK) == 0 { return answer }
        }
        let answer = probe()
        if let file, let data = try? JSONEncoder().encode(answer), access("/dev/kvm", R_OK | W_OK) == 0 {
            // An answer that cannot be kept is found again next time.
            try? data.write(to: URL(filePath: file), options: .atomic)
        }
        return answer
    }

    private func probe() -> Answer {
        guard access("/dev/kvm", F_OK) == 0 else { return Answer(accelerator: .tcg, reason: "there is no /dev/kvm") }
        guard access("/dev/kvm", R_OK | W_OK) == 0 else {
            return Answer(accelerator: .tcg, reason: "this user may not open /dev/kvm")
        }
        guard Self.hasBMI2 else {
            return Answer(accelerator: .tcg, reason: "this machine's processor has no BMI2, which nodes need")
        }
        do { return try boot() } catch {
            return Answer(accelerator: .tcg, reason: "the trial under KVM failed: \(error)")
        }
    }

    /// Under KVM a node has no more of a processor than there is. Where the system does not say, the trial goes on.
    private static var hasBMI2: Bool {
        guard let text = try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8) else { return true }
        return text.split(whereSeparator: \.isWhitespace).contains("bmi2")
    }

    private func boot() throws -> Answer {
        let image = FileManager.default.temporaryDirectory.appending(path: "plurix-probe-\(UUID().uuidString).elf")
        try Data(ProbeImage.bytes).write(to: image)
        defer { try? FileManager.default.removeItem(at: image) }

        let process = Process()
        process.executableURL = URL(filePath: emulator)
        process.arguments = [
            "-accel", "kvm", "-cpu", "max", "-machine", "pc", "-m", "32", "-bios", firmware, "-nodefaults",
            "-no-user-config", "-display", "none", "-no-reboot", "-device", "isa-debug-exit,iobase=0xf4",
            "-kernel", image.path(percentEncoded: false),
        ]
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        let ended = DispatchSemaphore(value: 0)
        process.terminationHandler = { _ in ended.signal() }
        try process.run()
        let seconds = Double(Self.limit.components.seconds) + Double(Self.limit.components.attoseconds) / 1e18
        guard ended.wait(timeout: .now() + seconds) == .success else {
            kill(process.processIdentifier, SIGKILL)
            process.waitUntilExit()
            return Answer(accelerator: .tcg, reason: "a trial guest under KVM crawled: it did not end in \(Self.limit)")
        }
        guard process.terminationReason == .exit, process.terminationStatus == ProbeImage.exitStatus else {
            return Answer(
                accelerator: .tcg,
                reason: "no KVM: a trial guest under it ended with status \(process.terminationStatus)")
        }
        return Answer(accelerator: .kvm, reason: "a trial guest ran under KVM at full speed")
    }
}

/// A guest of 155 bytes: counts down from 20 million, then ends QEMU through its debug port.
enum ProbeImage {
    /// QEMU's isa-debug-exit turns the written value v into the exit status 2v + 1.
    static let exitStatus: Int32 = 2 * 0x10 + 1

    private static let base: UInt32 = 0x100000
    private static let noteOffset: UInt32 = 116
    private static let noteBytes: UInt32 = 20
    private static let codeOffset: UInt32 = 136

    /// A 32-bit ELF file with a Xen PVH note (XEN_ELFNOTE_PHYS32_ENTRY), which QEMU's `-kernel` boots.
    static let bytes: [UInt8] = {
        let entry = base + codeOffset
        let code: [UInt8] =
            [0xB9] + words([20_000_000])  // mov ecx, 20000000
            + [0x49, 0x75, 0xFD]  // dec ecx; jnz back to it
            + [0x66, 0xBA, 0xF4, 0x00, 0xB0, 0x10, 0xEE]  // mov dx, 0xf4; mov al, 0x10; out dx, al
            + [0xFA, 0xF4, 0xEB, 0xFC]  // cli; hlt; jmp back to the cli
        let size = codeOffset + UInt32(code.count)
        var file: [UInt8] = [0x7F, 0x45, 0x4C, 0x46, 1, 1, 1, 0] + Array(repeating: 0, count: 8)
        file += halfWords([2, 3]) + words([1, entry, 52, 0, 0]) + halfWords([52, 32, 2, 0, 0, 0])
        file += words([1, 0, base, base, size, size, 7, 4096])
        file += words([4, noteOffset, base + noteOffset, base + noteOffset, noteBytes, noteBytes, 4, 4])
        file += words([4, 4, 18]) + Array("Xen\0".utf8) + words([entry])
        return file + code
    }()

    private static func words(_ values: [UInt32]) -> [UInt8] {
        values.flatMap { value in (0..<4).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) } }
    }

    private static func halfWords(_ values: [UInt16]) -> [UInt8] {
        values.flatMap { [UInt8(truncatingIfNeeded: $0), UInt8(truncatingIfNeeded: $0 >> 8)] }
    }
}
