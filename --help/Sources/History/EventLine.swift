import Wire

/// One line of a history file: its members, each with the place where it stands.
struct EventLine {
    struct Member<Value> {
        var value: Value
        var place: Int
    }

    var transaction: Member<Range<Int>>?
    var node: Member<Range<Int>>?
    var event: Member<HistoryEvent.Name>?
    var key: Member<UInt32>?
    var value: Member<UInt64>?
    var version: Member<GlobalTime>?
    var commitTime: Member<GlobalTime>?
    var begin: Member<UInt64>?
    var end: Member<UInt64>?

    init(_ scanner: inout LineScanner) throws(HistoryError) {
        try scanner.expect("{", "an object, beginning with {")
        if !scanner.take("}") {
            repeat { try readMember(&scanner) } while scanner.take(",")
            try scanner.expect("}", ", or }")
        }
        try scanner.endLine()
    }

    private mutating func readMember(_ scanner: inout LineScanner) throws(HistoryError) {
        scanner.skipSpaces()
        let start = scanner.position
        let name = try scanner.string("a member's name")
        try scanner.expect(":", "a colon")
        scanner.skipSpaces()
        let place = scanner.position
        if scanner.equals(name, "transaction") {
            try scanner.once(transaction == nil, name, start)
            transaction = Member(value: try scanner.name("transaction"), place: place)
        } else if scanner.equals(name, "node") {
            try scanner.once(node == nil, name, start)
            node = Member(value: try scanner.name("node"), place: place)
        } else if scanner.equals(name, "event") {
            try scanner.once(event == nil, name, start)
            event = Member(value: try scanner.event(), place: place)
        } else if scanner.equals(name, "key") {
            try scanner.once(key == nil, name, start)
            guard let number = UInt32(exactly: try scanner.number("key")) else {
                throw scanner.error("key must be below 2^32", at: place)
            }
            key = Member(value: number, place: place)
        } else if scanner.equals(name, "value") {
            try scanner.once(value == nil, name, start)
            value = Member(value: try scanner.value(), place: place)
        } else if scanner.equals(name, "version") {
            try scanner.once(version == nil, name, start)
            version = Member(value: try scanner.time("version"), place: place)
        } else if scanner.equals(name, "commitTime") {
            try scanner.once(commitTime == nil, name, start)
            commitTime = Member(value: try scanner.time("commitTime"), place: place)
        } else if scanner.equals(name, "beginNanoseconds") {
            try scanner.once(begin == nil, name, start)
            begin = Member(value: try scanner.number("beginNanoseconds"), place: place)
        } else if scanner.equals(name, "endNanoseconds") {
            try scanner.once(end == nil, name, start)
            end = Member(value: try scanner.number("endNanoseconds"), place: place)
        } else {
            throw scanner.error("an event has no member \"\(scanner.text(name))\"", at: start)
        }
    }
}

extension LineScanner {
    fileprivate func once(_ isFirst: Bool, _ name: Range<Int>, _ place: Int) throws(HistoryError) {
        guard isFirst else { throw error("the member \"\(text(name))\" is repeated", at: place) }
    }

    fileprivate mutating func event() throws(HistoryError) -> HistoryEvent.Name {
        skipSpaces()
        let start = position
        let range = try string("event")
        for name in HistoryEvent.Name.allCases where equals(range, name.rawValue) { return name }
        throw error("there is no event \"\(text(range))\"", at: start)
    }
}
