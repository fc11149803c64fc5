import Wire

/// What a store holds, as it was counted from end to end.
public struct Inventory: Equatable, Sendable {
    public var segments = 0
    public var bytes = 0
    /// Page records that some checkpoint needs, and all that there are.
    public var neededPages = 0
    public var pages = 0
    public var findings: [Finding] = []

    /// Whether everything that was saved is there.
    public var isSound: Bool { !findings.contains { $0.isLoss } }
}

extension Store where Medium: ~Copyable {
    /// Reads everything that the store has given to the disk, and checks each record and each segment.
    public mutating func verify() throws(StoreError) -> Inventory {
        var inventory = Inventory(findings: findings)
        for segment in state.segments.all {
            inventory.segments += 1
            inventory.bytes += segment.length
            inventory.neededPages += segment.liveCount
            do throws(StoreError) {
                inventory.pages += try verify(segment)
            } catch {
                guard case .damaged(let file, let offset) = error else { throw error }
                inventory.findings.append(.damaged(file, offset: offset))
            }
        }
        if state.head != 0 { try verifyHead(&inventory) }
        return inventory
    }

    /// - Returns: How many page records there are.
    private mutating func verify(_ segment: Segment) throws(StoreError) -> Int {
        let file = DiskFile.segment(segment.number)
        guard let reader = try SegmentReader(segment.number, superblock.key, &disk) else {
            throw .damaged(file, offset: 0)
        }
        let found = try reader.entries(upTo: segment.length)
        guard found.end.chain == segment.chain, found.end.offset == segment.length else {
            throw .damaged(file, offset: found.end.offset)
        }
        let listed = try SegmentReader.entries(of: segment, superblock.key, &disk)
        guard listed.entries == found.entries else { throw .damaged(file, offset: segment.seal) }
        return found.entries.count
    }

    private mutating func verifyHead(_ inventory: inout Inventory) throws(StoreError) {
        let file = DiskFile.segment(state.head)
        inventory.segments += 1
        inventory.bytes += log.submitted
        inventory.neededPages += state.headLive
        inventory.pages += log.entries.count
        guard log.submitted > 0 else { return }
        do throws(StoreError) {
            guard let reader = try SegmentReader(state.head, superblock.key, &disk) else {
                throw .damaged(file, offset: 0)
            }
            _ = try reader.entries(upTo: log.submitted)
        } catch {
            guard case .damaged(let file, let offset) = error else { throw error }
            inventory.findings.append(.damaged(file, offset: offset))
        }
    }

    /// Examines a disk that may hold anything, and finds what is wrong with it. Damage that leaves nothing to open is a
    /// finding as well.
    ///
    /// - Throws: What is no damage: `.noStore`, `.newerFormat`, `.otherCluster`, `.disk`.
    public static func check(_ disk: consuming Medium, cluster: UInt64? = nil) throws(StoreError) -> Inventory {
        do throws(StoreError) {
            var store = try examine(disk, cluster: cluster)
            return try store.verify()
        } catch {
            guard case .damaged(let file, let offset) = error else { throw error }
            return Inventory(findings: [.damaged(file, offset: offset)])
        }
    }
}
