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
    let widths = headers.indices.map { column in all.map { Self.displayWidth($0[column]) }.max() ?? 0 }
    return all.map { row in
      var line = ""
      for (column, cell) in row.enumerated() {
        let padding = String(repeating: " ", count: widths[column] - Self.displayWidth(cell))
        if column > 0 { line += "  " }
        line += alignments[column] == .left ? cell + padding : padding + cell
      }
      while line.last == " " { line.removeLast() }
      return line
    }
  }

  /// Columns on a terminal: wide East Asian characters and emoji take two.
  static func displayWidth(_ text: String) -> Int {
    text.reduce(0) { width, character in
      let scalar = character.unicodeScalars.first!
      let isWide: Bool =
        switch scalar.value {
        case 0x1100...0x115F, 0x2E80...0xA4CF, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F, 0xFF00...0xFF60,
          0xFFE0...0xFFE6, 0x1F300...0x1FAFF, 0x20000...0x3FFFD:
          true
        // Emoji of the older blocks, and characters that a variation selector turns into emoji.
        default: scalar.properties.isEmojiPresentation || character.unicodeScalars.contains("\u{FE0F}")
        }
      return width + (isWide ? 2 : 1)
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
