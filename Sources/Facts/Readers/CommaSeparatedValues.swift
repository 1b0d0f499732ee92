import Tensors

/// CSV (RFC 4180) with a header line: fields in quotation marks may hold separators, line breaks and doubled quotation
/// marks. Tabs separate instead where the header has one.
enum CommaSeparatedValues {
  /// Each line after the header as an object with the header's names; empty fields are left out. A line that has more
  /// or fewer fields than the header, or one that is not UTF-8, is no record.
  ///
  /// - Throws: an `ErrataError` that names the file: the header names no column of a facts file, or one twice, or a
  ///   quotation mark stands alone, so that nothing tells where its line ends.
  static func records(
    _ bytes: UnsafeRawBufferPointer, from start: Int, path: String
  ) throws -> [FactFile.Record] {
    let headerEnd = bytes[start...].firstIndex(of: UInt8(ascii: "\n")) ?? bytes.count
    let separator = bytes[start..<headerEnd].contains(UInt8(ascii: "\t")) ? UInt8(ascii: "\t") : UInt8(ascii: ",")
    var scanner = Scanner(bytes: bytes, separator: separator, position: start, path: path)
    let header = try scanner.line(record: nil).map { field in
      guard let name = String(validating: field, as: UTF8.self) else {
        throw ErrataError.factsNotText(path, offset: start)
      }
      return ByteString(name.trimmed)
    }
    guard header.contains("prompt") || header.contains("template") else {
      throw ErrataError.unknownFactsFormat(path)
    }
    var columns: Set<ByteString> = []
    if let repeated = header.first(where: { !columns.insert($0).inserted }) {
      throw ErrataError.repeatedColumn(path, repeated.description)
    }
    var records: [FactFile.Record] = []
    while !scanner.isAtEnd {
      let place = RecordPlace(file: path, record: records.count, line: scanner.lineNumber)
      let offset = scanner.position
      let fields = try scanner.line(record: place)
      if fields.count == 1, fields[0].isEmpty { continue }
      guard records.count < FactFile.maximumRecords else {
        throw ErrataError.tooManyRecords(path, FactFile.maximumRecords)
      }
      records.append(record(fields, header, place, offset: offset))
    }
    return records
  }

  private static func record(
    _ fields: [[UInt8]], _ header: [ByteString], _ place: RecordPlace, offset: Int
  ) -> FactFile.Record {
    guard fields.count == header.count else {
      return .failure(ErrataError.wrongFieldCount(place, fields.count, expected: header.count))
    }
    guard fields.allSatisfy(isValidUTF8) else { return .failure(ErrataError.recordNotText(place, offset: offset)) }
    var object = JSONObject()
    for (name, field) in zip(header, fields) where !field.isEmpty { object[name] = .string(ByteString(field)) }
    return .success(FactFields(place: place, value: .object(object)))
  }

  private struct Scanner {
    let bytes: UnsafeRawBufferPointer
    let separator: UInt8
    var position: Int
    /// Of what stands at `position`, from 1.
    var lineNumber = 1
    let path: String

    private static let quotationMark = UInt8(ascii: "\"")

    init(bytes: UnsafeRawBufferPointer, separator: UInt8, position: Int, path: String) {
      self.bytes = bytes
      self.separator = separator
      self.position = position
      self.path = path
    }

    var isAtEnd: Bool { position >= bytes.count }

    /// The fields up to the end of a line that is outside quotation marks.
    ///
    /// - Parameter record: what the line holds, for messages; nil for the header.
    mutating func line(record: RecordPlace?) throws -> [[UInt8]] {
      var fields: [[UInt8]] = []
      while true {
        fields.append(try field(record))
        guard !isAtEnd else { return fields }
        let end = bytes[position]
        position += 1
        if end == separator { continue }
        if end == UInt8(ascii: "\r"), !isAtEnd, bytes[position] == UInt8(ascii: "\n") { position += 1 }
        lineNumber += 1
        return fields
      }
    }

    /// One field; afterwards the position is that of the separator or line break behind it.
    private mutating func field(_ record: RecordPlace?) throws -> [UInt8] {
      let start = position
      guard !isAtEnd, bytes[position] == Self.quotationMark else {
        while !isAtEnd, !isEnd(bytes[position]) { position += 1 }
        return Array(bytes[start..<position])
      }
      var field: [UInt8] = []
      position += 1
      while true {
        guard !isAtEnd else { throw ErrataError.openQuotationMark(path, record, offset: start) }
        let byte = bytes[position]
        position += 1
        if byte == UInt8(ascii: "\n") { lineNumber += 1 }
        if byte != Self.quotationMark {
          field.append(byte)
        } else if !isAtEnd, bytes[position] == Self.quotationMark {
          field.append(byte)
          position += 1
        } else {
          break
        }
      }
      guard isAtEnd || isEnd(bytes[position]) else {
        throw ErrataError.openQuotationMark(path, record, offset: start)
      }
      return field
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
