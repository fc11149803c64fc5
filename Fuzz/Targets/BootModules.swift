import Wire

extension Target {
    /// The boot module.
    static let bootModule = Target("bootmodule", longest: 80) { bytes in
        check(bytes)
        // The magic is long: it is put in front, so that the fields are reached.
        check([0x50, 0x4C, 0x55, 0x52, 0x49, 0x58, 0x00, 0x01] + bytes)
    }

    private static func check(_ bytes: [UInt8]) {
        guard let module = BootModule.parse(bytes.span.bytes) else { return }
        var emitted = [UInt8](repeating: 0xFF, count: BootModule.byteCount)
        emitted.write { module.emit(into: &$0) }
        require(BootModule.parse(emitted.span.bytes) == module, "a boot module is read as it was written")
        require(emitted[..<47] == bytes[..<47], "every byte of a boot module is kept")
        require(module.node.isNode && module.sharedPages > 0, "a boot module names a node and a memory")
        require((Limits.standardFrameBytes...Limits.maximumFrameBytes) ~= Int(module.maximumFrameBytes),
                "a boot module names a possible frame size")
    }
}
