import Tensors

/// CSV (RFC 4180) with a header line: fields in quotation marks may hold separators, line breaks and doubled quotation marks. Tabs
/// separate instead where the header has one.
enum CommaSeparatedValues {
  private static let quotationMark = UInt8(ascii: "\"")

  /// Each line after the header as an object with the header's names; empty fields are left out.
  ///
  /// - Throws: an `ErrataError` that names the file and the record: the header names no column of a facts file, a line
  ///   has more or fewer fields than it, a quotation mark stands alone, or a field is not UTF-8.
  static func objects(_ bytes: UnsafeRawBufferPointer, from start: Int, path: String) throws -> [JSON] {
    let headerEnd = bytes[start...].firstIndex(of: UInt8(ascii: "\n")) ?? bytes.count
    let separator = bytes[start..<headerEnd].contains(UInt8(ascii: "\t")) ? UInt8(ascii: "\t") : UInt8(ascii: ",")
    var scanner = Scanner(bytes: bytes, separator: separator, position: start, path: path)
    let header = try scanner.line(record: nil).map { $0.trimmed }
    guard header.contains("prompt") || header.contains("template") else {
      throw ErrataError.unknownFactsFormat(path)
    }
    var columns: Set<String> = []
    if let repeated = header.first(where: { !columns.insert($0).inserted }) {
      throw ErrataError.repeatedColumn(path, repeated)
    }
    var objects: [JSON] = []
    while !scanner.isAtEnd {
      let fields = try scanner.line(record: objects.count)
      if fields == [""] { continue }
      guard fields.count == header.count else {
        throw ErrataError.wrongFieldCount(path, record: objects.count, fields.count, expected: header.count)
      }
      guard objects.count < FactFile.maximumRecords else {
        throw ErrataError.tooManyRecords(path, FactFile.maximumRecords)
      }
      var object = JSONObject()
      for (name, field) in zip(header, fields) where !field.isEmpty { object[ByteString(name)] = JSON(field) }
      objects.append(.object(object))
    }
    return objects
  }

  private struct Scanner {
    let bytes: UnsafeRawBufferPointer
    let separator: UInt8
    var position: Int
    let path: String

    var isAtEnd: Bool { position >= bytes.count }

    /// The fields up to the end of a line that is outside quotation marks.
    mutating func line(record: Int?) throws -> [String] {
      var fields: [String] = []
      while true {
        fields.append(try field(record))
        guard !isAtEnd else { return fields }
        let end = bytes[position]
        position += 1
        if end == separator { continue }
        if end == UInt8(ascii: "\r"), !isAtEnd, bytes[position] == UInt8(ascii: "\n") { position += 1 }
        return fields
      }
    }

    /// One field; afterwards the position is that of the separator or line break behind it.
    private mutating func field(_ record: Int?) throws -> String {
      var field: [UInt8] = []
      let start = position
      if !isAtEnd, bytes[position] == quotationMark {
        position += 1
        while true {
          guard !isAtEnd else { throw ErrataError.openQuotationMark(path, record: record, offset: start) }
          let byte = bytes[position]
          position += 1
          if byte != quotationMark {
            field.append(byte)
          } else if !isAtEnd, bytes[position] == quotationMark {
            field.append(byte)
            position += 1
          } else {
            break
          }
        }
        guard isAtEnd || isEnd(bytes[position]) else {
          throw ErrataError.openQuotationMark(path, record: record, offset: start)
        }
      } else {
        while !isAtEnd, !isEnd(bytes[position]) {
          field.append(bytes[position])
          position += 1
        }
      }
      guard let text = String(validating: field, as: UTF8.self) else {
        throw ErrataError.factsNotText(path, offset: start)
      }
      return text
    }

    private func isEnd(_ byte: UInt8) -> Bool {
      byte == separator || byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r")
    }
  }
}

extension String {
  fileprivate var trimmed: String {
    String(drop(while: \.isWhitespace).reversed().drop(while: \.isWhitespace).reversed())
  }
}
