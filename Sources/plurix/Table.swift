/// Rows of text under headings, as wide as the terminal at most: the least important columns go first, and then the
/// last one is cut.
struct Table {
    struct Column {
        var heading: String
        /// Columns of a lower rank are left out first; those of rank 0 stay.
        var rank = 0
        var isNumber = false
    }

    var columns: [Column]
    var rows: [[String]] = []

    func lines(width: Int) -> [String] {
        var shown = Array(columns.indices)
        var widths = naturalWidths()
        while total(widths, shown) > width, let victim = shown.filter({ columns[$0].rank > 0 }).max(by: isLess) {
            shown.removeAll { $0 == victim }
        }
        if let last = shown.last, total(widths, shown) > width {
            widths[last] = max(columns[last].heading.count, widths[last] - (total(widths, shown) - width))
        }
        return ([columns.map(\.heading)] + rows).map { row in
            shown.map { index in
                let cell = String(row[index].prefix(widths[index]))
                let padding = String(repeating: " ", count: widths[index] - cell.count)
                return columns[index].isNumber ? padding + cell : cell + padding
            }.joined(separator: "  ").trimmingTrailingSpaces
        }
    }

    private func isLess(_ first: Int, _ second: Int) -> Bool {
        (columns[first].rank, first) < (columns[second].rank, second)
    }

    private func naturalWidths() -> [Int] {
        columns.indices.map { index in
            max(columns[index].heading.count, rows.map { $0[index].count }.max() ?? 0)
        }
    }

    private func total(_ widths: [Int], _ shown: [Int]) -> Int {
        shown.reduce(0) { $0 + widths[$1] } + 2 * max(0, shown.count - 1)
    }
}

extension String {
    var trimmingTrailingSpaces: String {
        var text = self
        while text.last == " " { text.removeLast() }
        return text
    }
}
