import Foundation
import Testing

/// The rooms and who may import whom, read from Package.swift and from the image's build.
enum Rooms {
    /// Rooms that the node image is made of.
    static let image: Set<String> = [
        "Wire", "Protocol", "Paging", "Heap", "Kernel", "Programs", "Devices", "Machine", "Node",
    ]

    /// What a host room may import that is no room: the toolchain's own, and one list of packages.
    static let foreign: [String: Set<String>] = [
        "Control": ["Foundation", "Logging", "NIOCore", "NIOPosix"],
        "Segment": ["Foundation", "Glibc", "Logging", "Synchronization"],
        "PageServer": ["Dispatch", "Foundation", "Glibc", "Logging", "Synchronization"],
        "Cluster": ["Foundation", "Logging", "Synchronization"],
        "plurix": ["ArgumentParser", "Foundation", "Logging", "Synchronization"],
        "simulate": ["Glibc"],
        "killstore": ["Foundation", "Glibc"],
        "Machine": ["Instructions"],
        "Node": ["Instructions"],
    ]

    /// The declared dependencies of each room.
    static let declared: [String: Set<String>] = {
        var graph = package()
        for (room, imports) in imageBuild() { graph[room, default: []].formUnion(imports) }
        return graph
    }()

    private static func text(_ path: String) -> String {
        (try? String(contentsOf: SourceTree.root.appending(path: path), encoding: .utf8)) ?? ""
    }

    /// Targets with their dependencies: the names in quotes behind `name:` of each target.
    private static func package() -> [String: Set<String>] {
        let targets = /\.(?:executableTarget|target|systemLibrary)\(\s*name: "(\w+)"((?:[^()]|\([^()]*\))*)\)/
        var graph: [String: Set<String>] = [:]
        for match in text("Package.swift").matches(of: targets) {
            let names = match.2.matches(of: /"(\w+)"/).map { String($0.1) }
            graph[String(match.1)] = Set(names)
        }
        return graph
    }

    /// The lines `IMPORTS_Room := …` of the image's build.
    private static func imageBuild() -> [(String, Set<String>)] {
        text("Images/image.mk").matches(of: /IMPORTS_(\w+) *:=([^\n]*)/).map { match in
            (String(match.1), Set(match.2.split(separator: " ").map(String.init)))
        }
    }
}

struct RoomTests {
    @Test func theGraphWasRead() {
        #expect(Rooms.declared["Protocol"] == ["Wire"])
        #expect(Rooms.declared["Store"] == ["Wire"])
        #expect(Rooms.declared["Wire"] == [])
        #expect(Rooms.declared["Node"]?.contains("Machine") == true)
        #expect(Rooms.declared["Cluster"]?.contains("CLibvirt") == true)
    }

    // An import that is not declared compiles by accident, as long as something else builds the module first.
    @Test(arguments: SourceTree.swift.filter { $0.room != nil })
    func importsAreDeclared(file: SourceTree.File) throws {
        let room = try #require(file.room)
        let allowed = Rooms.declared[room, default: []].union(Rooms.foreign[room, default: []])
        for line in file.lines {
            guard let match = line.firstMatch(of: /^(?:@\w+ +)?(?:public +)?import +(?:struct |func )?(\w+)/) else {
                continue
            }
            let name = String(match.1)
            #expect(allowed.contains(name), "\(file.path) imports \(name), which is not declared for \(room)")
        }
    }

    @Test func dependenciesRunDownwardOnly() {
        for room in Rooms.declared.keys {
            #expect(!reaches(room, from: Rooms.declared[room, default: []], []), "\(room) depends on itself")
        }
        for room in Rooms.image {
            let outside = Rooms.declared[room, default: []].subtracting(Rooms.image)
            #expect(outside.isEmpty, "\(room) is part of the image and imports \(outside)")
        }
        for room in ["Wire", "Paging", "Heap", "Devices"] {
            #expect(Rooms.declared[room] == [], "\(room) imports nothing")
        }
    }

    private func reaches(_ room: String, from names: Set<String>, _ seen: Set<String>) -> Bool {
        names.contains(room)
            || names.subtracting(seen).contains {
                reaches(room, from: Rooms.declared[$0, default: []], seen.union(names))
            }
    }
}
