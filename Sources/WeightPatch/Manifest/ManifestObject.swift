import Tensors

/// A JSON object of the manifest while it is read: knows where it stands, so that an error names the field.
struct ManifestObject {
  let object: JSONObject
  /// For example `batches[0].facts[3]`; empty for the manifest itself.
  let path: String
  /// The patch's path, for messages.
  let source: String

  func path(of field: ByteString) -> String { path.isEmpty ? field.description : "\(path).\(field)" }

  func wrong(_ field: ByteString, _ expected: String) -> ErrataError {
    .manifestField(source, path(of: field), "is not \(expected)")
  }

  func optional<Value>(_ field: ByteString, _ expected: String, _ convert: (JSON) -> Value?) throws -> Value? {
    guard let json = object[field] else { return nil }
    guard let value = convert(json) else { throw wrong(field, expected) }
    return value
  }

  private func required<Value>(_ field: ByteString, _ value: Value?) throws -> Value {
    guard let value else { throw ErrataError.manifestField(source, path(of: field), "is missing") }
    return value
  }

  // MARK: Values

  func optionalText(_ field: ByteString) throws -> String? { try optional(field, "a string", \.stringValue) }
  func text(_ field: ByteString) throws -> String { try required(field, optionalText(field)) }

  func optionalNumber(_ field: ByteString) throws -> Double? { try optional(field, "a number", \.doubleValue) }
  func number(_ field: ByteString) throws -> Double { try required(field, optionalNumber(field)) }

  /// A norm, an error, a share of something: nothing that could be negative.
  func optionalMagnitude(_ field: ByteString) throws -> Double? {
    try optional(field, "a number of zero or more") { json in json.doubleValue.flatMap { $0 >= 0 ? $0 : nil } }
  }
  func magnitude(_ field: ByteString) throws -> Double { try required(field, optionalMagnitude(field)) }

  func optionalProbability(_ field: ByteString) throws -> Double? {
    try optional(field, "a number from 0 to 1") { json in json.doubleValue.flatMap { 0...1 ~= $0 ? $0 : nil } }
  }

  func optionalCount(_ field: ByteString) throws -> Int? {
    try optional(field, "an integer of zero or more") { json in json.integerValue.flatMap { $0 >= 0 ? $0 : nil } }
  }

  func optionalInteger(_ field: ByteString) throws -> Int? { try optional(field, "an integer", \.integerValue) }
  func integer(_ field: ByteString) throws -> Int { try required(field, optionalInteger(field)) }

  func count(_ field: ByteString) throws -> Int { try required(field, optionalCount(field)) }

  func optionalFlag(_ field: ByteString) throws -> Bool? { try optional(field, "a boolean", \.boolValue) }

  func optionalDigest(_ field: ByteString) throws -> Digest? {
    try optional(field, "a SHA-256 value (64 lower-case hexadecimal digits)", Self.digest)
  }

  func digest(_ field: ByteString) throws -> Digest { try required(field, optionalDigest(field)) }

  /// Digests have one form, so that texts can be compared.
  private static func digest(_ json: JSON) -> Digest? {
    guard let text = json.stringValue, let digest = Digest(hexadecimal: text), digest.description == text else {
      return nil
    }
    return digest
  }

  // MARK: Arrays and objects

  func optionalArray<Value>(_ field: ByteString, _ expected: String, _ convert: (JSON) -> Value?) throws -> [Value]? {
    try optional(field, expected) { json in
      guard let values = json.arrayValue?.map(convert), values.allSatisfy({ $0 != nil }) else { return nil }
      return values.compactMap(\.self)
    }
  }

  func optionalDigests(_ field: ByteString) throws -> [Digest]? {
    try optionalArray(field, "an array of SHA-256 values", Self.digest)
  }

  func digests(_ field: ByteString) throws -> [Digest] { try required(field, optionalDigests(field)) }

  func optionalObject(_ field: ByteString) throws -> ManifestObject? {
    try optional(field, "an object", \.objectValue).map {
      ManifestObject(object: $0, path: path(of: field), source: source)
    }
  }

  func object(_ field: ByteString) throws -> ManifestObject { try required(field, optionalObject(field)) }

  /// An array of objects; none if the field is absent.
  func objects(_ field: ByteString) throws -> [ManifestObject] {
    let objects = try optionalArray(field, "an array of objects", \.objectValue) ?? []
    return objects.enumerated().map {
      ManifestObject(object: $1, path: "\(path(of: field))[\($0)]", source: source)
    }
  }

  /// An object whose members are objects, by tensor name.
  func objectsByName() throws -> [(name: ByteString, value: ManifestObject)] {
    try object.keys.map { ($0, try object($0)) }
  }
}

/// A JSON object of the manifest while it is made: what is nil is left out.
struct ManifestMembers {
  private(set) var object = JSONObject()

  var json: JSON { .object(object) }

  mutating func set(_ field: ByteString, _ value: JSON?) { object[field] = value }
  mutating func set(_ field: ByteString, unlessEmpty values: [JSON]) {
    if !values.isEmpty { object[field] = .array(values) }
  }
  mutating func set(_ field: ByteString, unlessEmpty members: JSONObject) {
    if members.count > 0 { object[field] = .object(members) }
  }
  mutating func set(_ field: ByteString, ifTrue flag: Bool) {
    if flag { object[field] = .bool(true) }
  }
  mutating func set(_ field: ByteString, _ text: String?) { object[field] = text.map { JSON($0) } }
  mutating func set(_ field: ByteString, _ value: Int?) { object[field] = value.map(JSON.integer) }
  mutating func set(_ field: ByteString, _ digest: Digest?) { set(field, digest?.description) }
  /// JSON has no infinities and no NaN: a figure that is not finite is not known.
  mutating func set(_ field: ByteString, _ value: Double?) {
    if let value, value.isFinite { object[field] = .double(value) }
  }
}
