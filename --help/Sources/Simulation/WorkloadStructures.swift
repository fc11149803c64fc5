import Wire

/// A hash table and a linked list over pages. What they hold is counted at the nodes' own pages too, so that a lost, a
/// doubled or a torn change shows.
extension Workload {
    /// Words of a bucket: how many keys, and from `firstKey` on the keys.
    private static let keyCount = 1
    private static let firstKey = 5
    private static let keyLimit = 190
    static let bucketWords = firstKey + keyLimit + 1
    /// Words of an element: the number of the next one, 0 at the end, and whether it is in the list.
    private static let next = 1
    private static let isLinked = 2

    /// Nil when the layout has no such thing, or chance has it so.
    func structureStep(_ draw: inout Generator) -> Step? {
        guard layout.buckets > 0 || layout.links > 0 else { return nil }
        let kind = draw.below(100)
        if layout.links > 0, kind < 35 { return .toggle(link: 1 + draw.below(layout.links)) }
        guard layout.buckets > 0, kind < 70 else { return nil }
        let bucket = draw.below(layout.buckets)
        if kind % 2 == 0 { return .insert(bucket: bucket) }
        return .move(from: bucket, to: (bucket + 1 + draw.below(layout.buckets - 1)) % layout.buckets)
    }

    /// Audits that the layout has something for.
    var audits: [Step] {
        [.audit, .auditCounter] + (layout.buckets > 0 ? [.auditTable] : []) + (layout.links > 0 ? [.auditList] : [])
    }

    /// The pages that a step reads at first; where a list leads from there only its elements say (`follow`).
    func structureReads(of step: Step, at node: Station) -> [PageNumber] {
        let own = Layout.control(node)
        switch step {
        case .insert(let bucket): return [own, layout.bucket(bucket)]
        case .move(let from, let to): return [own, layout.bucket(from), layout.bucket(to)]
        case .toggle(let link): return [own, layout.link(link), layout.link(0)]
        case .auditTable: return controls + (0..<layout.buckets).map { layout.bucket($0) }
        case .auditList: return controls + (0...layout.links).map { layout.link($0) }
        case .makeHeap, .waitForHeap, .increment, .transfer, .write, .bulk, .audit, .auditCounter: return []
        }
    }

    /// Which page a step reads after `page`, the last one of those that it knew of.
    func follow(_ step: Step, from page: PageNumber, _ content: [UInt64]) -> PageNumber? {
        guard case .toggle(let link) = step, layout.links > 0, page >= layout.link(0),
            let next = element(behind: content), next < layout.link(link)
        else { return nil }
        return next
    }

    private func element(behind content: [UInt64]) -> PageNumber? {
        let next = content[Self.next]
        return next > 0 && next <= UInt64(layout.links) ? layout.link(Int(next)) : nil
    }

    /// What a step makes of what it read; nil when it does not fit together.
    func structureWrites(
        of step: Step, at node: Station, _ advanced: (PageNumber, [UInt64]), _ content: (PageNumber) -> [UInt64]
    ) -> [(PageNumber, [UInt64])]? {
        switch step {
        case .insert(let bucket): insert(into: bucket, at: node, advanced, content)
        case .move(let from, let to): move(from, to, advanced, content)
        case .toggle(let link): toggle(link, advanced, content)
        case .auditTable: isTableWhole(content) ? [] : nil
        case .auditList: isListWhole(content) ? [] : nil
        case .makeHeap, .waitForHeap, .increment, .transfer, .write, .bulk, .audit, .auditCounter: nil
        }
    }

    // MARK: The hash table

    private func insert(
        into bucket: Int, at node: Station, _ advanced: (PageNumber, [UInt64]), _ content: (PageNumber) -> [UInt64]
    ) -> [(PageNumber, [UInt64])]? {
        var (control, own) = advanced
        var page = content(layout.bucket(bucket))
        guard let keys = keys(page) else { return nil }
        guard keys.count < Self.keyLimit else { return [advanced] }
        let key = UInt64(node.number) << 48 | own[Control.steps]
        page[Self.firstKey + keys.count] = key
        page[Self.keyCount] += 1
        own[Control.keys] += 1
        own[Control.keySum] ^= key
        return [(control, own), (layout.bucket(bucket), page)]
    }

    private func move(
        _ from: Int, _ to: Int, _ advanced: (PageNumber, [UInt64]), _ content: (PageNumber) -> [UInt64]
    ) -> [(PageNumber, [UInt64])]? {
        var source = content(layout.bucket(from))
        var target = content(layout.bucket(to))
        guard let leaving = keys(source), let staying = keys(target) else { return nil }
        guard let key = leaving.last, staying.count < Self.keyLimit else { return [advanced] }
        source[Self.firstKey + leaving.count - 1] = 0
        source[Self.keyCount] -= 1
        target[Self.firstKey + staying.count] = key
        target[Self.keyCount] += 1
        return [advanced, (layout.bucket(from), source), (layout.bucket(to), target)]
    }

    /// The keys of a bucket; nil when it is none.
    private func keys(_ page: [UInt64]) -> ArraySlice<UInt64>? {
        guard page[Self.keyCount] <= UInt64(Self.keyLimit) else { return nil }
        let keys = page[Self.firstKey..<Self.firstKey + Int(page[Self.keyCount])]
        return keys.contains(0) || page[Self.firstKey + keys.count] != 0 ? nil : keys
    }

    private func isTableWhole(_ content: (PageNumber) -> [UInt64]) -> Bool {
        var all: Set<UInt64> = []
        var count = 0
        for bucket in 0..<layout.buckets {
            guard let keys = keys(content(layout.bucket(bucket))) else { return false }
            all.formUnion(keys)
            count += keys.count
        }
        let own = controls.map(content)
        return count == all.count && UInt64(count) == own.reduce(0) { $0 + $1[Control.keys] }
            && all.reduce(0, ^) == own.reduce(0) { $0 ^ $1[Control.keySum] }
    }

    // MARK: The list

    private func toggle(
        _ link: Int, _ advanced: (PageNumber, [UInt64]), _ content: (PageNumber) -> [UInt64]
    ) -> [(PageNumber, [UInt64])]? {
        var (control, own) = advanced
        var before = layout.link(0)
        while let next = follow(.toggle(link: link), from: before, content(before)) {
            guard next > before else { return nil }
            before = next
        }
        var previous = content(before)
        var element = content(layout.link(link))
        let isThere = previous[Self.next] == UInt64(link)
        guard isThere == (element[Self.isLinked] == 1) else { return nil }
        if isThere {
            previous[Self.next] = element[Self.next]
            element[Self.next] = 0
        } else {
            element[Self.next] = previous[Self.next]
            previous[Self.next] = UInt64(link)
        }
        element[Self.isLinked] = isThere ? 0 : 1
        own[Control.links] = isThere ? own[Control.links] &- 1 : own[Control.links] &+ 1
        return [(control, own), (before, previous), (layout.link(link), element)]
    }

    private func isListWhole(_ content: (PageNumber) -> [UInt64]) -> Bool {
        var place = layout.link(0)
        var count: UInt64 = 0
        while let next = element(behind: content(place)) {
            guard next > place, content(next)[Self.isLinked] == 1 else { return false }
            place = next
            count += 1
        }
        let linked = (1...layout.links).reduce(0) { $0 + content(layout.link($1))[Self.isLinked] }
        return content(place)[Self.next] == 0 && count == linked
            && count == controls.reduce(0) { $0 &+ content($1)[Control.links] }
    }
}
