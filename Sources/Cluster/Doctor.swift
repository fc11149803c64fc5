import CLibvirt
import CLinux
import Control
import Foundation
import Logging

/// `plurix doctor`: tries everything that a cluster needs of this machine, and says how to mend what is missing.
public struct Doctor: Sendable {
    public struct Finding: Codable, Sendable {
        public enum Verdict: String, Codable, Sendable {
            case good
            /// Works, but not as well as it could.
            case poor
            /// A cluster cannot start.
            case bad
        }

        public var subject: String
        public var verdict: Verdict
        public var text: String
        /// What to do.
        public var remedy: String?
    }

    private let installation = Installation()

    public init() {}

    public func findings() -> [Finding] {
        [
            emulator(), firmware(), account(), libvirt(), accelerator(), image(), place(), stores(), cache(),
            memory(), symbolizer(),
        ]
    }

    private func emulator() -> Finding {
        finding("QEMU") { () throws(Failure) in try installation.emulator() }
    }

    private func firmware() -> Finding {
        finding("firmware") { () throws(Failure) in try installation.firmware() }
    }

    private func account() -> Finding {
        finding("account") { () throws(Failure) in
            try EmbeddedDriver.checkAccount()
            return geteuid() == 0 ? "root, and \(EmbeddedDriver.account) exists" : "an ordinary user, nothing to do"
        }
    }

    /// The library is linked, so it is there; the driver is a plug-in of another package.
    private func libvirt() -> Finding {
        var version: UInt = 0
        virGetVersion(&version, nil, nil)
        let number = "\(version / 1_000_000).\(version / 1000 % 1000).\(version % 1000)"
        let folders = ["/usr/lib/x86_64-linux-gnu", "/usr/lib64", "/usr/lib", "/usr/local/lib"]
        let name = "libvirt/connection-driver/libvirt_driver_qemu.so"
        guard folders.contains(where: { FileManager.default.fileExists(atPath: "\($0)/\(name)") }) else {
            return Finding(
                subject: "libvirt", verdict: .bad, text: "version \(number) has no QEMU driver",
                remedy: "apt install libvirt-daemon-driver-qemu")
        }
        return Finding(subject: "libvirt", verdict: .good, text: "version \(number) with the QEMU driver")
    }

    private func accelerator() -> Finding {
        do {
            let answer = try AcceleratorProbe(installation).answer()
            switch answer.accelerator {
            case .kvm: return Finding(subject: "accelerator", verdict: .good, text: "kvm: \(answer.reason)")
            case .tcg: return Finding(subject: "accelerator", verdict: .good, text: "tcg: \(answer.reason)")
            }
        } catch {
            return Finding(
                subject: "accelerator", verdict: .bad, text: "not tried: \(error)", remedy: "install what is missing")
        }
    }

    private func image() -> Finding {
        finding("node image") { () throws(Failure) in
            _ = try installation.domainTemplate()
            return try installation.image(nil)
        }
    }

    private func place() -> Finding {
        finding("run directory") { () throws(Failure) in
            let directory = try RunDirectory(name: "doctor-\(getpid())")
            try directory.create()
            do { try FileManager.default.removeItem(atPath: directory.path) } catch {
                throw Failure(error, while: "removing \(directory.path)")
            }
            return RunDirectory.base()
        }
    }

    /// The directory that holds stores may still have to be made, below the first one that is there.
    private func stores() -> Finding {
        do throws(Failure) {
            let path = RunDirectory.parent(of: try ClusterDescription.Storage.defaultDirectory(of: "doctor"))
            var place = path
            while access(place, F_OK) != 0, place != "/" { place = RunDirectory.parent(of: place) }
            guard access(place, W_OK) == 0 else {
                return Finding(
                    subject: "stores", verdict: .poor, text: "\(place) cannot be written by this user",
                    remedy: "name a place with up --store, or set XDG_STATE_HOME")
            }
            var facts = statfs()
            guard statfs(place, &facts) == 0, facts.f_type != Self.memoryFileSystem else {
                return Finding(
                    subject: "stores", verdict: .poor, text: "\(path) is in memory: a power cut loses what is saved",
                    remedy: "name a place on a disk with up --store, or set XDG_STATE_HOME")
            }
            let free = (UInt64(facts.f_bavail) * UInt64(facts.f_bsize)) >> 20
            return Finding(subject: "stores", verdict: .good, text: "\(path), \(free) MiB free")
        } catch {
            return Finding(subject: "stores", verdict: .poor, text: error.message, remedy: error.advice)
        }
    }

    /// TMPFS_MAGIC of <linux/magic.h>.
    private static let memoryFileSystem = 0x0102_1994

    private func cache() -> Finding {
        guard let path = Installation.cacheDirectory() else {
            return Finding(
                subject: "cache", verdict: .poor, text: "no directory for answers that outlive a cluster",
                remedy: "set HOME or XDG_CACHE_HOME to a directory that you may write: each up is 4 s faster then")
        }
        return Finding(subject: "cache", verdict: .good, text: path)
    }

    private func memory() -> Finding {
        let text = (try? String(contentsOfFile: "/proc/meminfo", encoding: .utf8)) ?? ""
        let line = text.split(separator: "\n").first { $0.hasPrefix("MemAvailable:") }
        let kibibytes = line?.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
        let words = "\(kibibytes / 1024) MiB available"
        // Three nodes of the default size with QEMU's own share.
        guard kibibytes >= 512 << 10 else {
            return Finding(
                subject: "memory", verdict: .poor, text: words,
                remedy: "three nodes want 512 MiB: start fewer, or free some")
        }
        return Finding(subject: "memory", verdict: .good, text: words)
    }

    private func symbolizer() -> Finding {
        guard Symbolizer.tools.contains(where: { Installation.find($0) != nil }) else {
            return Finding(
                subject: "autopsy", verdict: .poor, text: "no tool that names functions and lines",
                remedy: "apt install llvm")
        }
        return Finding(subject: "autopsy", verdict: .good, text: "functions and lines are named")
    }

    private func finding(_ subject: String, _ body: () throws(Failure) -> String) -> Finding {
        do { return Finding(subject: subject, verdict: .good, text: try body()) } catch {
            return Finding(subject: subject, verdict: .bad, text: error.message, remedy: error.advice)
        }
    }
}
