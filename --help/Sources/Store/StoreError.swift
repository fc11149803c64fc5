import Wire

/// What a store says when it does not do what it was asked, in place of doing half of it.
public enum StoreError: Error, Equatable, Sendable {
    /// Nothing in the directory is a store.
    case noStore
    /// Something is there already.
    case exists
    /// Written by a later version of this format.
    case newerFormat(UInt32)
    /// It belongs to another cluster, whose number is given.
    case otherCluster(UInt64)
    /// What was written and flushed there cannot be read back.
    case damaged(DiskFile, offset: Int)
    case disk(DiskError, DiskFile)
    /// It has stopped writing after an earlier error and only reads, until `resume`.
    case readOnly
    /// No checkpoint of this time, or of this label, is kept.
    case noCheckpoint
    /// More than a segment or its head can hold.
    case tooLarge
    /// Its registers say what no page server writes.
    case foreign
    /// A stream that is no export of a store, or was cut off or changed on its way.
    case badArchive
}

extension StoreError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .noStore: "there is no store here"
        case .exists: "there is something here already; it is never overwritten"
        case .newerFormat(let format): "its format is \(format); this version knows \(Superblock.format) and older ones"
        case .otherCluster(let cluster): "it belongs to another cluster, number \(cluster)"
        case .damaged(let file, let offset):
            "\(file) is damaged at byte \(offset): what was written there cannot be read back"
        case .disk(.full, _): "no space is left on the disk"
        case .disk(.denied, let file): "\(file) may not be opened or written"
        case .disk(.missing, let file): "\(file) is missing"
        case .disk(.exists, let file): "\(file) is there already"
        case .disk(.failed(let number), let file): "the disk failed at \(file), error \(number)"
        case .readOnly: "it has stopped writing after an earlier error"
        case .noCheckpoint: "there is no such checkpoint"
        case .tooLarge: "more than a segment holds"
        case .foreign: "it was not written by a page server"
        case .badArchive: "this is no complete export of a store"
        }
    }
}

extension DiskFile: CustomStringConvertible {
    /// The name of the file.
    public var description: String {
        switch self {
        case .superblock(let slot): "superblock.\(slot)"
        case .segment(let number):
            "segment." + String(repeating: "0", count: 16 - String(number, radix: 16).utf8.count)
                + String(number, radix: 16)
        case .reserve: "reserve"
        }
    }

    /// The file with this name; nil for a name that no file of a store has.
    public init?(_ name: String) {
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        if name == "reserve" {
            self = .reserve
        } else if name == "superblock.0" || name == "superblock.1" {
            self = .superblock(name.last == "0" ? 0 : 1)
        } else if parts.count == 2, parts[0] == "segment", let number = UInt64(parts[1], radix: 16),
            (1..<LogPosition.countLimit).contains(number) {
            self = .segment(number)
            if description != name { return nil }
        } else {
            return nil
        }
    }
}

extension Finding: CustomStringConvertible {
    public var description: String {
        switch self {
        case .unfinished(let file, let offset, let count):
            "\(file): the last writer was interrupted at byte \(offset); the \(count) bytes behind it are not used"
        case .superblock(let slot): "\(DiskFile.superblock(slot)) cannot be read; the other one is used"
        case .leftover(let file):
            "\(file) holds nothing that is needed; the store deletes it when nothing leads to it any more"
        case .damaged(let file, let offset): StoreError.damaged(file, offset: offset).description
        case .seal(let file): "\(file): the list of its pages cannot be read; its records are used"
        }
    }
}
