import Heap

/// Page 67: which parts are done. Apart from the job record, which all running steps read.
public enum CompletionPage {
    /// The job that the mask is about, and the mask of the nodes whose part is done.
    static var done: Shared<UInt64> { Shared(page: SystemLayout.completionPage, 0) }

    /// The nodes whose part in the current job is done: bit 0 is node 1.
    public static func doneNodes(_ source: some PageSource) -> UInt64 { source[done] }
}

/// Page 68: what belongs to the job as a whole. Record of the result stream at 0 (16 bytes), state that
/// the program's nodes share at 1024 (1,024 bytes).
public enum CommonPage {
    static let stateByteCount: UInt64 = 1024

    static var resultStream: SharedAddress { SharedAddress(page: SystemLayout.commonPage, 0) }
    static var programState: SharedAddress { SharedAddress(page: SystemLayout.commonPage, 1024) }

    /// First page of the result, JSON in UTF-8, to be read as `StreamBlock`s; 0 if there is none.
    public static func resultFirstPage(_ source: some PageSource) -> UInt32 {
        source[StreamRecord(resultStream).firstPage]
    }

    public static func resultByteCount(_ source: some PageSource) -> UInt64 {
        source[StreamRecord(resultStream).byteCount]
    }

    /// Forgets the job before.
    static func clear(_ memory: SharedMemory) {
        memory.clear(
            SharedBytes(
                start: resultStream, count: programState.offset - resultStream.offset + stateByteCount))
        memory[CompletionPage.done] = 0
    }
}
