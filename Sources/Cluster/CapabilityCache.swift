import Control
import Foundation

/// libvirt asks QEMU once what it can do, which takes seconds, and keeps the answer below its root. The root goes with
/// the cluster, so the answer is copied to the user's cache and from there into the next root. libvirt itself checks
/// whether a kept answer still fits its version and QEMU's.
struct CapabilityCache {
    private let kept: String?
    private let inRoot: String

    init(_ directory: RunDirectory) {
        kept = Installation.cacheDirectory().map { "\($0)/capabilities-\(getuid())" }
        inRoot = directory.libvirtRoot + "/cache/qemu/capabilities"
    }

    /// Before libvirt opens: brings the kept answers.
    func bring() {
        guard let kept else { return }
        copy(from: kept, to: inRoot)
    }

    /// After the first machine was started: keeps new answers.
    func keep() {
        guard let kept else { return }
        copy(from: inRoot, to: kept)
    }

    /// Copies what differs, each file by one rename. What cannot be copied costs time at the next `up`, nothing else.
    private func copy(from source: String, to target: String) {
        let files = FileManager.default
        guard let names = try? files.contentsOfDirectory(atPath: source), !names.isEmpty else { return }
        try? files.createDirectory(atPath: target, withIntermediateDirectories: true)
        for name in names where name.hasSuffix(".xml") {
            guard let data = files.contents(atPath: "\(source)/\(name)"),
                data != files.contents(atPath: "\(target)/\(name)")
            else { continue }
            try? data.write(to: URL(filePath: "\(target)/\(name)"), options: .atomic)
        }
    }
}
