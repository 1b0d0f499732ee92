import Tensors
import WeightPatch

extension FactRecord {
  /// Reads subjects that an edit is to leave alone: a facts file, of whose records the prompts up to the subjects
  /// count, or a `.txt` with a subject in each line, which stands for itself.
  ///
  /// - Throws: as `read`.
  public static func subjects(_ path: String) throws -> [Manifest.Fact] {
    guard path.lowercased().hasSuffix(".txt") else { return try read(path).map(\.fact) }
    let file = try MappedFile(input: path, limit: FactFile.maximumLength)
    let lines = try withExtendedLifetime(file) {
      guard file.bytes.count <= FactFile.maximumLength else {
        throw ErrataError.factsFileTooLong(path, FactFile.maximumLength)
      }
      return file.bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).map {
        String(validating: $0, as: UTF8.self)?.trimmingSpaces
      }
    }
    let subjects = try lines.enumerated().compactMap { index, line -> Manifest.Fact? in
      guard let line else { throw ErrataError.subjectsNotText(path, line: index + 1) }
      return line.isEmpty ? nil : Manifest.Fact(subject: line, prompt: "{}", targetNew: "")
    }
    guard !subjects.isEmpty else { throw ErrataError.noRecords(path) }
    guard subjects.count <= FactFile.maximumRecords else {
      throw ErrataError.tooManyRecords(path, FactFile.maximumRecords)
    }
    return subjects
  }
}

extension String {
  fileprivate var trimmingSpaces: String {
    let rest = drop(while: \.isWhitespace)
    return String(rest[..<(rest.lastIndex { !$0.isWhitespace }.map { rest.index(after: $0) } ?? rest.startIndex)])
  }
}
