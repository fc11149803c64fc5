import Control
import Foundation
import Wire

/// The libvirt domain of a node: `Images/node-domain.xml` with its gaps filled.
struct MachineDefinition {
    var description: ClusterDescription
    var node: Int
    var image: String
    var directory: RunDirectory
    var emulator: String
    var firmware: String

    /// The domain's name, which is unique among all clusters of a driver that is shared.
    static func domainName(_ cluster: String, _ node: Int) -> String { "plurix-\(cluster)-n\(node)" }

    /// The node of a domain's name; nil for domains that are not of this cluster.
    static func node(ofDomain name: String, cluster: String) -> Int? {
        let prefix = "plurix-\(cluster)-n"
        return name.hasPrefix(prefix) ? Int(name.dropFirst(prefix.count)) : nil
    }

    /// - Throws: `.fault` when the template asks for something that is not known here.
    func xml(template: String) throws(Failure) -> String {
        let station = UInt8(node)
        let values = [
            "DOMAIN_TYPE": description.accelerator == .kvm ? "kvm" : "qemu",
            "NAME": Self.domainName(description.name, node),
            "MEMORY_MEBIBYTES": "\(description.memoryMebibytes)",
            "FIRMWARE": firmware,
            "IMAGE": image,
            "MODULE": directory.bootModule(node),
            "EMULATOR": emulator,
            "SERIAL_LOG": directory.serialLog(node),
            // QEMU takes a comma in a path when it is doubled.
            "HISTORY": directory.nextHistory(node).replacingOccurrences(of: ",", with: ",,"),
            "NETWORK_BACKEND": "dgram,local.type=unix,local.path=\(directory.stationSocket(station)),"
                + "remote.type=unix,remote.path=\(directory.switchSocket(station))",
            "NETWORK_DEVICE": networkDevice,
            "MAC_ADDRESS": macAddress(Station(station)),
        ]
        var text = template
        for (gap, value) in values { text = text.replacingOccurrences(of: "{{\(gap)}}", with: escaped(value)) }
        if let left = text.range(of: "{{") {
            throw Failure(.fault, "node-domain.xml has an unknown gap: \(text[left.lowerBound...].prefix(40))")
        }
        return text
    }

    private var networkDevice: String {
        switch description.nic {
        case .virtio: "virtio-net-pci,disable-legacy=on"
        case .rtl8139: "rtl8139"
        }
    }

    private func macAddress(_ station: Station) -> String {
        (0..<6).reversed().map { byte in
            let value = UInt8(truncatingIfNeeded: station.address >> UInt64(8 * byte))
            return (value < 16 ? "0" : "") + String(value, radix: 16)
        }.joined(separator: ":")
    }

    private func escaped(_ value: String) -> String {
        value.replacingOccurrences(of: "&", with: "&amp;").replacingOccurrences(of: "<", with: "&lt;")
            .replacingOccurrences(of: "'", with: "&apos;")
    }
}

extension BootModule {
    /// Writes the module to a file that this user alone may read.
    func write(to path: String) throws(Failure) {
        var bytes = [UInt8](repeating: 0, count: Self.byteCount)
        var span = bytes.mutableSpan
        var raw = span.mutableBytes
        emit(into: &raw)
        try RunDirectory.replace(path, with: Data(bytes))
    }
}
