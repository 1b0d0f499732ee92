import Foundation
import Tensors

/// Takes a facts file apart into records: a JSON array of objects, JSON objects line by line, or CSV with a header. Which of them
/// it is shows its first character.
enum FactFile {
  /// The largest published set, multi-CounterFact, has 20 thousand records in 40 MB.
  static let maximumLength = 1 << 30
  static let maximumRecords = 1_000_000

  /// - Throws: an `ErrataError` that names the file, and what is wrong with it where.
  static func records(_ path: String) throws -> [FactFields] {
    let file = try MappedFile(path: path)
    return try withExtendedLifetime(file) {
      guard file.bytes.count <= maximumLength else { throw ErrataError.factsFileTooLong(path, maximumLength) }
      let values = try values(file.bytes, path)
      guard values.count <= maximumRecords else { throw ErrataError.tooManyRecords(path, maximumRecords) }
      return values.enumerated().map { FactFields(file: path, record: $0, value: $1) }
    }
  }

  private static func values(_ bytes: UnsafeRawBufferPointer, _ path: String) throws -> [JSON] {
    // Spreadsheet programs begin UTF-8 files with a byte order mark.
    let start = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0
    let isSpace = { (byte: UInt8) in byte == 0x20 || 0x09...0x0D ~= byte }
    guard let first = bytes[start...].firstIndex(where: { !isSpace($0) }) else { return [] }
    switch bytes[first] {
    case UInt8(ascii: "["):
      guard case .array(let elements) = try parse(bytes, start..<bytes.count, path) else { return [] }
      return elements
    case UInt8(ascii: "{"):
      let lines = bytes[start...].split(separator: UInt8(ascii: "\n")).filter { !$0.allSatisfy(isSpace) }
      // One object may also go over several lines.
      let firstLine = lines[0].startIndex..<lines[0].endIndex
      guard lines.count == 1 || (try? parse(bytes, firstLine, path)) != nil else {
        return [try parse(bytes, start..<bytes.count, path)]
      }
      guard lines.count <= maximumRecords else { throw ErrataError.tooManyRecords(path, maximumRecords) }
      return try lines.map { try parse(bytes, $0.startIndex..<$0.endIndex, path) }
    default:
      return try CommaSeparatedValues.objects(bytes, from: start, path: path)
    }
  }

  private static func parse(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>, _ path: String) throws -> JSON {
    do throws(JSONSyntaxError) {
      return try JSON.parse(UnsafeRawBufferPointer(rebasing: bytes[range]))
    } catch {
      throw ErrataError.factsNotJSON(path, offset: range.lowerBound + error.offset, reason: error.reason)
    }
  }
}
