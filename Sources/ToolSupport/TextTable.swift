/// A plain table for a terminal: a header, aligned columns, no frame. A row is one line, whatever its cells say.
public struct TextTable {
  public enum Alignment: Sendable {
    case left
    case right
  }

  private let headers: [String]
  private let alignments: [Alignment]
  private var rows: [[String]] = []

  /// - Parameter columns: a header and an alignment each.
  public init(_ columns: [(header: String, alignment: Alignment)]) {
    headers = columns.map(\.header)
    alignments = columns.map(\.alignment)
  }

  /// - Precondition: as many cells as columns.
  public mutating func append(_ cells: [String]) {
    precondition(cells.count == headers.count)
    rows.append(cells.map(printable))
  }

  /// The table's lines, two spaces between columns, without trailing spaces.
  public var lines: [String] {
    let all = [headers] + rows
    let widths = headers.indices.map { column in all.map { displayWidth($0[column]) }.max() ?? 0 }
    return all.map { row in
      var line = ""
      for (column, cell) in row.enumerated() {
        let padding = String(repeating: " ", count: widths[column] - displayWidth(cell))
        if column > 0 { line += "  " }
        line += alignments[column] == .left ? cell + padding : padding + cell
      }
      while line.last == " " { line.removeLast() }
      return line
    }
  }
}

/// `text`, shortened in its middle to `width` characters with an ellipsis if it is longer.
public func elide(_ text: String, to width: Int) -> String {
  precondition(width > 0 || text.isEmpty, "there is no room for an ellipsis")
  guard text.count > width else { return text }
  let head = width / 2
  return String(text.prefix(head)) + "…" + String(text.suffix(width - head - 1))
}
