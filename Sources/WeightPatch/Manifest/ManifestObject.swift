import Tensors

/// A JSON object of the manifest while it is read: knows where it stands, so that an error names the field.
package struct ManifestObject {
  let object: JSONObject
  /// For example `batches[0].facts[3]`; empty for the manifest itself.
  let path: String
  /// The patch's path, for messages.
  let source: String

  func path(of field: ByteString) -> String { path.isEmpty ? field.description : "\(path).\(field)" }

  func wrong(_ field: ByteString, _ expected: String) -> ErrataError {
    .manifestField(source, path(of: field), "is not \(expected)")
  }

  /// - Returns: nil if the field is absent.
  func value<Value>(_ field: ByteString, _ expected: String, _ convert: (JSON) -> Value?) throws -> Value? {
    guard let json = object[field] else { return nil }
    guard let value = convert(json) else { throw wrong(field, expected) }
    return value
  }

  func required<Value>(_ value: Value?, _ field: ByteString) throws -> Value {
    guard let value else { throw ErrataError.manifestField(source, path(of: field), "is missing") }
    return value
  }

  func object(_ field: ByteString) throws -> ManifestObject? {
    try value(field, "an object", \.objectValue).map {
      ManifestObject(object: $0, path: path(of: field), source: source)
    }
  }

  func objects(_ field: ByteString) throws -> [ManifestObject]? {
    try value(field, "an array of objects") { json -> [JSONObject]? in
      guard let objects = json.arrayValue?.map(\.objectValue), objects.allSatisfy({ $0 != nil }) else { return nil }
      return objects.compactMap(\.self)
    }?.enumerated().map { ManifestObject(object: $1, path: "\(path(of: field))[\($0)]", source: source) }
  }
}
