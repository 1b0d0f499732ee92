import Tensors

/// A value of a `tokenizer.json` together with the name of the place where it stands, for messages.
struct Section {
  let file: String
  /// Such as "pre_tokenizer.pretokenizers[1]".
  let name: String
  let value: JSON

  /// The member `key`; null if there is none.
  func member(_ key: String) -> Section {
    Section(file: file, name: name.isEmpty ? key : "\(name).\(key)", value: value[ByteString(key)] ?? .null)
  }

  /// The elements of an array; none if this is null.
  ///
  /// - Throws: an `ErrataError` if this is neither.
  func elements() throws -> [Section] {
    if value.isNull { return [] }
    guard let elements = value.arrayValue else { throw wrongKind(expected: "an array") }
    return elements.enumerated().map { Section(file: file, name: "\(name)[\($0)]", value: $1) }
  }

  /// - Throws: an `ErrataError` if this is not a string.
  func bytes() throws -> ByteString {
    guard let bytes = value.bytesValue else { throw wrongKind(expected: "a string") }
    return bytes
  }

  func string() throws -> String {
    try bytes().description
  }

  /// A string of one character, in UTF-8.
  ///
  /// - Throws: an `ErrataError` if it is not.
  func character() throws -> [UInt8] {
    let text = try bytes()
    guard text.description.unicodeScalars.count == 1 else {
      throw unsupported(quoted(text), supported: "one character")
    }
    return text.bytes
  }

  /// - Throws: an `ErrataError` if this is neither a boolean nor, with a `fallback`, null.
  func boolean(fallback: Bool? = nil) throws -> Bool {
    if value.isNull, let fallback { return fallback }
    guard let boolean = value.boolValue else { throw wrongKind(expected: "a boolean") }
    return boolean
  }

  /// How often something is done.
  ///
  /// - Throws: an `ErrataError` if this is no number from 0 to 1000.
  func count() throws -> Int {
    guard let count = value.integerValue, 0...1000 ~= count else { throw wrongKind(expected: "a count (0 to 1000)") }
    return count
  }

  /// A token id.
  ///
  /// - Throws: an `ErrataError` if this is no number from 0 to `Vocabulary.maximumID`.
  func tokenID() throws -> Int32 {
    guard let id = value.integerValue, 0...Vocabulary.maximumID ~= id else {
      throw wrongKind(expected: "a token id (0 to \(Vocabulary.maximumID))")
    }
    return Int32(id)
  }

  /// The member "type" of a component.
  func type() throws -> String {
    try member("type").string()
  }

  /// The components that this one stands for: those of a Sequence (which may hold others), none for null, or itself.
  ///
  /// - Parameter key: where this kind of component keeps the members of a Sequence.
  func components(_ key: String) throws -> [Section] {
    if value.isNull { return [] }
    guard try type() == "Sequence" else { return [self] }
    return try member(key).elements().flatMap { try $0.components(key) }
  }

  func wrongKind(expected: String) -> ErrataError {
    .wrongKind(file: file, field: name, expected: expected, found: value.kind)
  }

  func unsupported(_ found: String, supported: String) -> ErrataError {
    .unsupported(file: file, field: name, found: found, supported: supported)
  }
}
