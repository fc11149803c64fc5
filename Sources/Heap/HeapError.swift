/// Why the heap could not do what it was asked.
public enum HeapError: Error, Equatable {
    /// No pages are left in the window.
    case outOfMemory
    /// The table of names that outlive jobs is full, or the name is too long for it.
    case noRoomForName
}
