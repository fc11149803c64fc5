import Glibc

/// The bug of this process; 0: none.
@usableFromInline let chosen = getenv("PLANTED").flatMap { Int(String(cString: $0)) } ?? 0

@inlinable public func planted(_ number: Int) -> Bool { chosen == number }
