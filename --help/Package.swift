// swift-tools-version: 6.2
import PackageDescription

let package = Package(
    name: "planted",
    targets: [
        .target(name: "Planted"),
        .target(name: "Durability", dependencies: ["Planted", "Protocol", "Store", "Wire"],
            swiftSettings: [.enableExperimentalFeature("Lifetimes")]),
        .target(name: "History", dependencies: ["Planted", "Wire"],
            swiftSettings: [.enableExperimentalFeature("Lifetimes")]),
        .target(name: "Protocol", dependencies: ["Planted", "Wire"],
            swiftSettings: [.enableExperimentalFeature("Lifetimes")]),
        .target(name: "Simulation", dependencies: ["Planted", "Durability", "History", "Protocol", "Store", "Wire"],
            swiftSettings: [.enableExperimentalFeature("Lifetimes")]),
        .target(name: "Store", dependencies: ["Planted", "Wire"],
            swiftSettings: [.enableExperimentalFeature("Lifetimes")]),
        .target(name: "Wire", dependencies: ["Planted"],
            swiftSettings: [.enableExperimentalFeature("Lifetimes")]),
        .executableTarget(name: "simulate", dependencies: ["Planted", "Simulation", "Wire"],
            swiftSettings: [.enableExperimentalFeature("Lifetimes")]),
    ],
    swiftLanguageModes: [.v6])
