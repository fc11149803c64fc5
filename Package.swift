// swift-tools-version: 6.2
// The host's products and all tests. The rooms that the node image is made of (Wire to Devices) are
// targets here too, so that the same sources are tested on the host; the image itself, with Machine
// and Node, is built by Images/image.mk.
import PackageDescription

/// Rooms that compile both freestanding into the image and into the host's tools and tests.
let pure: [SwiftSetting] = [.enableExperimentalFeature("Lifetimes")]

let package = Package(
    name: "plurix",
    products: [.executable(name: "plurix", targets: ["plurix"])],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", exact: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio", exact: "2.101.2"),
    ],
    targets: [
        .target(name: "Wire", swiftSettings: pure),
        .target(name: "Protocol", dependencies: ["Wire"], swiftSettings: pure),
        .target(name: "Store", dependencies: ["Wire"], swiftSettings: pure),
        .target(name: "Durability", dependencies: ["Wire", "Protocol", "Store"], swiftSettings: pure),
        .target(name: "Paging", swiftSettings: pure),
        .target(name: "Heap", swiftSettings: pure),
        .target(name: "Kernel", dependencies: ["Heap"], swiftSettings: pure),
        .target(name: "Programs", dependencies: ["Heap", "Kernel"], swiftSettings: pure),
        .target(name: "Devices", swiftSettings: pure),

        .target(name: "History", dependencies: ["Wire"]),
        .target(
            name: "Simulation", dependencies: ["Wire", "Protocol", "Store", "Durability", "History"],
            swiftSettings: pure),
        .target(
            name: "Control",
            dependencies: [
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ]),
        .systemLibrary(name: "CLinux"),
        .target(name: "Segment", dependencies: ["Wire", "Control", "CLinux"]),
        .target(
            name: "PageServer",
            dependencies: [
                "Wire", "Protocol", "Store", "Durability", "Kernel", "Programs", "Heap", "Segment", "Control", "CLinux",
            ],
            swiftSettings: pure),
        .systemLibrary(name: "CLibvirt", pkgConfig: "libvirt", providers: [.apt(["libvirt-dev"])]),
        .target(name: "Cluster", dependencies: ["Wire", "Control", "PageServer", "CLibvirt", "CLinux"]),
        .executableTarget(
            name: "plurix",
            dependencies: [
                "Wire", "Kernel", "Programs", "Control", "Segment", "PageServer", "Cluster", "History",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ]),

        .executableTarget(name: "simulate", dependencies: ["Wire", "Simulation"], swiftSettings: pure),
        .executableTarget(
            name: "killstore", dependencies: ["Wire", "Store", "Simulation", "PageServer"], swiftSettings: pure),

        .target(name: "Seeds", path: "Tests/Seeds"),
        .target(name: "SmallDisk", path: "Tests/SmallDisk"),
        .testTarget(name: "WireTests", dependencies: ["Wire", "Seeds"], swiftSettings: pure),
        .testTarget(name: "ProtocolTests", dependencies: ["Protocol", "Wire"], swiftSettings: pure),
        .testTarget(name: "StoreTests", dependencies: ["Store", "Simulation", "Wire"], swiftSettings: pure),
        .testTarget(
            name: "DurabilityTests", dependencies: ["Durability", "Store", "Protocol", "Simulation", "Wire"],
            swiftSettings: pure),
        .testTarget(name: "PagingTests", dependencies: ["Paging"], swiftSettings: pure),
        .testTarget(name: "HeapTests", dependencies: ["Heap"], swiftSettings: pure),
        .testTarget(name: "KernelTests", dependencies: ["Kernel", "Heap"], swiftSettings: pure),
        .testTarget(name: "ProgramsTests", dependencies: ["Programs", "Kernel", "Heap", "Seeds"], swiftSettings: pure),
        .testTarget(name: "DevicesTests", dependencies: ["Devices", "Seeds"], swiftSettings: pure),
        .testTarget(
            name: "SimulationTests", dependencies: ["Simulation", "simulate", "History", "Protocol", "Wire"],
            swiftSettings: pure),
        .testTarget(name: "HistoryTests", dependencies: ["History", "Wire"]),
        .testTarget(name: "ControlTests", dependencies: ["Control"]),
        .testTarget(name: "SegmentTests", dependencies: ["Segment", "Control", "SmallDisk", "Wire"]),
        .testTarget(
            name: "PageServerTests",
            dependencies: [
                "PageServer", "Durability", "Store", "Segment", "Control", "Programs", "Kernel", "Heap", "Protocol", "Wire",
                "SmallDisk",
            ],
            swiftSettings: pure),
        .testTarget(
            name: "ClusterTests",
            dependencies: [
                "Wire", "Control", "Cluster", "plurix",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ]),
        .testTarget(name: "TidyTests"),
    ],
    swiftLanguageModes: [.v6])
