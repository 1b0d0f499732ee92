import Foundation
import Tensors

/// The fields of one object in a facts file.
struct FactFields {
  let file: String
  /// From 0.
  let record: Int
  let value: JSON
  /// Where the object stands in the record, with a dot at the end; empty for the record itself.
  var path = ""

  /// Longer texts than any model's context; what a hostile file holds is not carried further.
  static let maximumLength = 100_000

  func failure(_ field: String, _ problem: String) -> ErrataError {
    ErrataError.wrongFactField(file, record: record, field: path + field, problem)
  }

  /// - Throws: an `ErrataError` if this is no object.
  func names() throws -> Set<String> {
    guard let object = value.objectValue else {
      throw ErrataError.wrongFactRecord(file, record: record, found: value.kind)
    }
    return Set(object.members.map(\.key.description))
  }

  func object(_ field: String) throws -> FactFields {
    guard let found = try optionalObject(field) else { throw failure(field, "is missing") }
    return found
  }

  func optionalObject(_ field: String) throws -> FactFields? {
    guard let found = try optional(field) else { return nil }
    guard found.objectValue != nil else { throw failure(field, "must be an object, found \(found.kind)") }
    return FactFields(file: file, record: record, value: found, path: path + field + ".")
  }

  /// The value of a field; nil if it is missing or null.
  ///
  /// - Throws: an `ErrataError` if this is no object.
  func optional(_ field: String) throws -> JSON? {
    guard value.objectValue != nil else {
      throw ErrataError.wrongFactRecord(file, record: record, found: value.kind)
    }
    guard let found = value[ByteString(field)], !found.isNull else { return nil }
    return found
  }

  func text(_ field: String) throws -> String {
    guard let text = try optionalText(field) else { throw failure(field, "is missing") }
    return text
  }

  /// A text that holds more than white space.
  func filledText(_ field: String) throws -> String {
    let text = try text(field)
    guard !text.allSatisfy(\.isWhitespace) else { throw failure(field, "is empty") }
    return text
  }

  func optionalText(_ field: String) throws -> String? {
    guard let found = try optional(field) else { return nil }
    guard let text = found.stringValue else { throw failure(field, "must be a string, found \(found.kind)") }
    try checkLength(text, field)
    return text
  }

  /// Prompts; none if the field is missing.
  func texts(_ field: String) throws -> [String] {
    guard let found = try optional(field) else { return [] }
    guard let elements = found.arrayValue else {
      throw failure(field, "must be an array of strings, found \(found.kind)")
    }
    return try elements.map { try prompt($0, field) }
  }

  /// One prompt or several; none if the field is missing.
  func textOrTexts(_ field: String) throws -> [String] {
    guard let found = try optional(field) else { return [] }
    guard found.stringValue == nil else { return [try prompt(found, field)] }
    guard let elements = found.arrayValue else {
      throw failure(field, "must be a string or an array of strings, found \(found.kind)")
    }
    return try elements.map { try prompt($0, field) }
  }

  private func prompt(_ value: JSON, _ field: String) throws -> String {
    guard let text = value.stringValue else {
      throw failure(field, "must be an array of strings, found \(value.kind) in it")
    }
    guard !text.isEmpty else { throw failure(field, "holds an empty prompt") }
    try checkLength(text, field)
    return text
  }

  private func checkLength(_ text: String, _ field: String) throws {
    guard text.utf8.count <= Self.maximumLength else {
      throw failure(field, "is longer than \(Self.maximumLength) bytes")
    }
  }
}

extension FactFields {
  /// A prompt template: a text with `{}` where the subject stands.
  ///
  /// - Throws: an `ErrataError` unless it has exactly one.
  func template(_ field: String) throws -> String {
    let text = try text(field)
    guard text.components(separatedBy: "{}").count == 2 else {
      throw failure(
        field, "must contain {} exactly once, where the subject stands, found \"\(abbreviated(text))\"")
    }
    return text
  }

  /// A prompt in which the subject stands, or `{}` in its place, as a template. Where the subject occurs several times,
  /// the first occurrence that is not part of a longer word counts.
  ///
  /// - Throws: an `ErrataError` if the subject does not occur.
  func template(_ field: String, subject: String) throws -> String {
    let prompt = try text(field)
    if prompt.contains("{}") { return try template(field) }
    let occurrences = prompt.ranges(of: subject)
    let isWhole = { (range: Range<String.Index>) in
      let before = range.lowerBound > prompt.startIndex ? prompt[prompt.index(before: range.lowerBound)] : " "
      let after = range.upperBound < prompt.endIndex ? prompt[range.upperBound] : " "
      return !isWordCharacter(before) && !isWordCharacter(after)
    }
    guard let range = occurrences.first(where: isWhole) ?? occurrences.first else {
      throw failure(
        field, "does not contain the subject \"\(abbreviated(subject))\", found \"\(abbreviated(prompt))\"")
    }
    return prompt.replacingCharacters(in: range, with: "{}")
  }

  private func isWordCharacter(_ character: Character) -> Bool { character.isLetter || character.isNumber }
}

/// The beginning of a text that a message quotes.
func abbreviated(_ text: String) -> String {
  text.count > 160 ? text.prefix(160) + "…" : text
}
