import Tensors
import WeightPatch

/// The fields of one object in a facts file.
package struct FactFields {
  package let place: RecordPlace
  package let value: JSON
  /// Where the object stands in the record, with a dot at the end; empty for the record itself.
  package let path: String

  package init(place: RecordPlace, value: JSON, path: String = "") {
    self.place = place
    self.value = value
    self.path = path
  }

  /// Longer texts than any model's context; what a hostile file holds is not carried further.
  package static let maximumLength = 100_000

  package func failure(_ field: String, _ problem: String) -> ErrataError {
    ErrataError.wrongFactField(place, field: path + field, problem)
  }

  /// - Throws: an `ErrataError` if this is no object.
  package func names() throws -> Set<ByteString> {
    guard let object = value.objectValue else { throw ErrataError.wrongFactRecord(place, found: value.kind) }
    return Set(object.keys)
  }

  /// The fields of an object that stands within this one.
  package func fields(_ value: JSON, path: String) -> FactFields { FactFields(place: place, value: value, path: path) }

  package func object(_ field: String) throws -> FactFields {
    guard let found = try optionalObject(field) else { throw failure(field, "is missing") }
    return found
  }

  package func optionalObject(_ field: String) throws -> FactFields? {
    guard let found = try optional(field) else { return nil }
    guard found.objectValue != nil else { throw failure(field, "must be an object, found \(found.kind)") }
    return fields(found, path: path + field + ".")
  }

  /// The value of a field; nil if it is missing or null.
  ///
  /// - Throws: an `ErrataError` if this is no object.
  package func optional(_ field: String) throws -> JSON? {
    guard value.objectValue != nil else { throw ErrataError.wrongFactRecord(place, found: value.kind) }
    guard let found = value[ByteString(field)], !found.isNull else { return nil }
    return found
  }

  package func text(_ field: String) throws -> String {
    guard let text = try optionalText(field) else { throw failure(field, "is missing") }
    return text
  }

  /// A text that holds more than white space.
  package func filledText(_ field: String) throws -> String {
    let text = try text(field)
    guard !text.allSatisfy(\.isWhitespace) else { throw failure(field, "is empty") }
    return text
  }

  package func optionalText(_ field: String) throws -> String? {
    guard let found = try optional(field) else { return nil }
    guard found.stringValue != nil else { throw failure(field, "must be a string, found \(found.kind)") }
    return try text(found, field, "")
  }

  /// `case_id`, a number or a string; nil if there is none.
  var caseIdentifier: String? {
    let value = value["case_id"]
    return value?.stringValue ?? value?.integerValue.map(String.init)
  }

  /// Prompts; none if the field is missing.
  package func texts(_ field: String) throws -> [String] {
    guard let found = try optional(field) else { return [] }
    guard let elements = found.arrayValue else {
      throw failure(field, "must be an array of strings, found \(found.kind)")
    }
    return try elements.map { try prompt($0, field) }
  }

  /// One prompt or several; none if the field is missing.
  package func textOrTexts(_ field: String) throws -> [String] {
    guard let found = try optional(field) else { return [] }
    guard found.stringValue == nil else { return [try prompt(found, field)] }
    guard let elements = found.arrayValue else {
      throw failure(field, "must be a string or an array of strings, found \(found.kind)")
    }
    return try elements.map { try prompt($0, field) }
  }

  private func prompt(_ value: JSON, _ field: String) throws -> String {
    let text = try text(value, field, "must be an array of strings, found \(value.kind) in it")
    guard !text.isEmpty else { throw failure(field, "holds an empty prompt") }
    return text
  }

  /// A value that must be a string, checked as every text of a record is.
  ///
  /// - Parameter expectation: the problem if it is none.
  package func text(_ value: JSON, _ field: String, _ expectation: @autoclosure () -> String) throws -> String {
    guard let bytes = value.bytesValue?.bytes else { throw failure(field, expectation()) }
    guard bytes.count <= Self.maximumLength else {
      throw ErrataError.factTextTooLong(place, field: path + field, Self.maximumLength)
    }
    // It separates the parts of which fact IDs are made, and ends texts in C.
    guard !bytes.contains(0) else { throw failure(field, "holds a NUL character; remove it") }
    return String(decoding: bytes, as: UTF8.self)
  }
}
