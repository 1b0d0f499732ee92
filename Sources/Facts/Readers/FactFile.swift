import Tensors

/// Takes a facts file apart into records: a JSON array of objects, JSON objects line by line, or CSV with a header.
/// Which of them it is shows its first character.
package enum FactFile {
  /// The largest published set, multi-CounterFact, has 20 thousand records in 40 MB.
  package static let maximumLength = 1 << 30
  package static let maximumRecords = 1_000_000

  /// A record, or why what stands in its place is none.
  package typealias Record = Result<FactFields, ErrataError>

  /// - Throws: an `ErrataError` that names the file, and what is wrong with it where, if it cannot be taken apart.
  package static func records(_ path: String) throws -> [Record] {
    let file = try MappedFile(input: path, limit: maximumLength)
    let path = file.path
    return try withExtendedLifetime(file) {
      guard file.bytes.count <= maximumLength else { throw ErrataError.factsFileTooLong(path, maximumLength) }
      let records = try records(file.bytes, path)
      guard records.count <= maximumRecords else { throw ErrataError.tooManyRecords(path, maximumRecords) }
      return records
    }
  }

  private static func records(_ bytes: UnsafeRawBufferPointer, _ path: String) throws -> [Record] {
    // Spreadsheet programs begin UTF-8 files with a byte order mark.
    let start = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0
    guard let first = bytes[start...].firstIndex(where: { !isSpace($0) }) else { return [] }
    return switch bytes[first] {
    case UInt8(ascii: "["): try elements(bytes, from: start, path)
    case UInt8(ascii: "{"): try lines(bytes, from: start, path)
    default: try CommaSeparatedValues.records(bytes, from: start, path: path)
    }
  }

  private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || 0x09...0x0D ~= byte }

  /// The elements of an array.
  private static func elements(_ bytes: UnsafeRawBufferPointer, from start: Int, _ path: String) throws -> [Record] {
    let elements: [(offset: Int, value: JSON)]
    do throws(JSONSyntaxError) {
      elements = try JSON.parseElements(UnsafeRawBufferPointer(rebasing: bytes[start...]))
    } catch {
      throw ErrataError.factsNotJSON(path, offset: start + error.offset, error)
    }
    var (line, counted) = (1, start)
    return elements.enumerated().map { index, element in
      line += bytes[counted..<start + element.offset].count { $0 == UInt8(ascii: "\n") }
      counted = start + element.offset
      return .success(FactFields(place: RecordPlace(file: path, record: index, line: line), value: element.value))
    }
  }

  /// An object in each line that is not blank, or one that goes over all lines.
  private static func lines(_ bytes: UnsafeRawBufferPointer, from start: Int, _ path: String) throws -> [Record] {
    let lines = bytes[start...].split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated()
      .filter { !$1.allSatisfy(isSpace) }
    func value(_ range: Range<Int>) throws(JSONSyntaxError) -> JSON {
      try JSON.parse(UnsafeRawBufferPointer(rebasing: bytes[range]))
    }
    func isValue(_ line: Slice<UnsafeRawBufferPointer>) -> Bool { (try? value(line.startIndex..<line.endIndex)) != nil }
    // A line may be damaged, but hardly the first and the last. Those of one object are no objects.
    guard lines.count == 1 || isValue(lines[0].element) || isValue(lines.last!.element) else {
      do throws(JSONSyntaxError) {
        let place = RecordPlace(file: path, record: 0, line: lines[0].offset + 1)
        return [.success(FactFields(place: place, value: try value(start..<bytes.count)))]
      } catch {
        throw ErrataError.factsNotJSON(path, offset: start + error.offset, error)
      }
    }
    guard lines.count <= maximumRecords else { throw ErrataError.tooManyRecords(path, maximumRecords) }
    return lines.enumerated().map { index, line in
      let place = RecordPlace(file: path, record: index, line: line.offset + 1)
      let range = line.element.startIndex..<line.element.endIndex
      do throws(JSONSyntaxError) {
        return .success(FactFields(place: place, value: try value(range)))
      } catch {
        return .failure(ErrataError.factsLineNotJSON(place, offset: range.lowerBound + error.offset, error))
      }
    }
  }
}
