extension String {
    /// Whether a reader sees all of it: nothing that controls a terminal, is invisible, or blank without being a space;
    /// nothing that no font knows. Bytes that are no UTF-8 have become U+FFFD, and count for nothing.
    public var isPrintable: Bool {
        guard let first = unicodeScalars.first else { return true }
        // A mark belongs to the character before it, which here is somebody else's.
        return !Self.isMark(first) && unicodeScalars.allSatisfy(Self.isPrintable)
    }

    /// The text for a reader: what is not printable as an escape, as in `a\u{200B}`.
    public var printable: String {
        var text = ""
        for (place, scalar) in unicodeScalars.enumerated() {
            if Self.isPrintable(scalar), place > 0 || !Self.isMark(scalar) {
                text.unicodeScalars.append(scalar)
            } else {
                text += "\\u{\(String(scalar.value, radix: 16, uppercase: true))}"
            }
        }
        return text
    }

    private static func isMark(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .nonspacingMark, .spacingMark, .enclosingMark: true
        default: false
        }
    }

    private static func isPrintable(_ scalar: Unicode.Scalar) -> Bool {
        // Fillers count as letters, and an empty pattern of Braille as a symbol.
        guard !scalar.properties.isDefaultIgnorableCodePoint, scalar != "\u{2800}", scalar != "\u{FFFD}" else {
            return false
        }
        switch scalar.properties.generalCategory {
        case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator: return false
        case .spaceSeparator: return scalar == " "
        default: return true
        }
    }
}
