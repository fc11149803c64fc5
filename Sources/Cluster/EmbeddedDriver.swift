import Control
import Foundation

/// Prepares the root directory of libvirt's embedded QEMU driver.
enum EmbeddedDriver {
    /// The account that Debian's libvirt looks up before it reads any configuration, when it runs as root.
    static let account = "libvirt-qemu"

    /// The URI of a cluster's driver: the embedded one gets a root of the cluster's own.
    static func uri(_ connect: String, _ directory: RunDirectory) -> String {
        connect == "qemu:///embed" ? "\(connect)?root=\(directory.libvirtRoot)" : connect
    }

    /// Writes `qemu.conf`: no daemon, no labels, no cgroups, QEMU under the user who runs us.
    ///
    /// - Throws: `.unavailable` when root lacks the account that libvirt insists on.
    static func prepare(_ directory: RunDirectory) throws(Failure) {
        try checkAccount()
        let configuration = """
            security_driver = "none"
            stdio_handler = "file"
            dynamic_ownership = 0
            remember_owner = 0
            cgroup_controllers = []
            namespaces = []
            \(geteuid() == 0 ? "user = \"root\"\ngroup = \"root\"" : "")
            """
        let folder = directory.libvirtRoot + "/etc"
        do {
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            try configuration.write(toFile: folder + "/qemu.conf", atomically: true, encoding: .utf8)
        } catch {
            throw Failure(error, while: "preparing \(directory.libvirtRoot)")
        }
        // libvirt keeps a few files of an ordinary user outside of its root; they belong to the cluster too.
        for variable in ["XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"] {
            setenv(variable, directory.libvirtRoot + "/user", 1)
        }
        setenv("XDG_RUNTIME_DIR", directory.libvirtRoot + "/user", 1)
    }

    static func checkAccount() throws(Failure) {
        guard geteuid() == 0, getpwnam(account) == nil else { return }
        throw Failure(
            .unavailable,
            "libvirt needs the account \(account) when it is used by root",
            advice: "add it with useradd --system --no-create-home --shell /usr/sbin/nologin \(account), or work as"
                + " another user")
    }
}
