import Tensors

/// A part of the manifest that has a table of fields in Spec/wpatch.md. The table here drives reading, writing, and
/// what several batches have in common; a test compares it with the Spec's, row by row.
package protocol ManifestRecord: Equatable, Sendable {
  /// The name of the table in the Spec, and of the type where a field holds such records.
  static var name: String { get }
  /// What reading begins with: required fields replace what it holds, and absent ones leave it.
  static var blank: Self { get }
  /// In the order of the Spec, which is that of `--json`.
  static var fields: [ManifestField<Self>] { get }
  /// Whether the fields agree with one another.
  func check(_ object: ManifestObject) throws
}

extension ManifestRecord {
  package func check(_ object: ManifestObject) throws {}

  /// - Throws: an `ErrataError` of category `damagedInput` that names the field.
  init(_ object: ManifestObject) throws {
    self = Self.blank
    for field in Self.fields { try field.read(&self, object) }
    try check(object)
  }

  /// What is not known is left out.
  var members: JSONObject {
    var object = JSONObject()
    for field in Self.fields { object[field.name] = field.write(self) }
    return object
  }
}

/// One row of a table.
package struct ManifestField<Record: ManifestRecord>: Sendable {
  /// The word in the "required" column of the Spec's tables.
  enum Presence: String {
    case required = "yes"
    case optional = "no"
    case ifKnown = "if known"
    /// Required under a condition that the Spec states and `check` tests.
    case conditional
  }

  let name: ByteString
  let type: String
  let presence: Presence
  let read: @Sendable (inout Record, ManifestObject) throws -> Void
  let write: @Sendable (Record) -> JSON?
  /// Sets the field to the value on which all agree, or to none.
  let join: @Sendable (inout Record, [Record]) -> Void

  /// A field that must be there.
  static func required<Value>(
    _ name: ByteString, _ path: WritableKeyPath<Record, Value> & Sendable, _ type: ManifestValue<Value>
  ) -> Self {
    Self(
      name: name, type: type.name, presence: .required,
      read: { $0[keyPath: path] = try $1.required(type.read(name, $1), name) },
      write: { type.write($0[keyPath: path]) }, join: { _, _ in })
  }

  /// A field that may be absent.
  ///
  /// - Parameter joins: whether what all of several records agree on holds for all of them together.
  static func optional<Value>(
    _ name: ByteString, _ path: WritableKeyPath<Record, Value?> & Sendable, _ type: ManifestValue<Value>,
    _ presence: Presence = .optional, joins: Bool = true
  ) -> Self {
    Self(
      name: name, type: type.name, presence: presence,
      read: { $0[keyPath: path] = try type.read(name, $1) },
      write: { $0[keyPath: path].flatMap(type.write) },
      join: { record, others in
        let first = others.first?[keyPath: path]
        record[keyPath: path] = joins && others.allSatisfy { $0[keyPath: path] == first } ? first : nil
      })
  }

  /// A field that is left out where it says no more than its absence: what the blank record holds.
  static func defaulted<Value>(
    _ name: ByteString, _ path: WritableKeyPath<Record, Value> & Sendable, _ type: ManifestValue<Value>,
    _ presence: Presence = .optional, isWrittenAlways: Bool = false,
    join: @escaping @Sendable (inout Record, [Record]) -> Void = { _, _ in }
  ) -> Self {
    Self(
      name: name, type: type.name, presence: presence,
      read: { record, object in
        if let value = try type.read(name, object) { record[keyPath: path] = value }
      },
      write: { record in
        let value = record[keyPath: path]
        return isWrittenAlways || value != Record.blank[keyPath: path] ? type.write(value) : nil
      }, join: join)
  }

  /// A record that is left out where nothing in it is known.
  static func settings<Value: ManifestRecord>(
    _ name: ByteString, _ path: WritableKeyPath<Record, Value> & Sendable
  ) -> Self {
    defaulted(name, path, .record) { $0[keyPath: path] = Value(commonTo: $1.map { $0[keyPath: path] }) }
  }

  /// A field of the format that changes what the patch means and that this version cannot compute with.
  static func unsupported(_ name: ByteString, _ type: String, _ what: String) -> Self {
    Self(
      name: name, type: type, presence: .optional,
      read: { _, object in
        if object.object[name] != nil { throw ErrataError.unsupportedField(object.source, object.path(of: name), what) }
      },
      write: { _ in nil }, join: { _, _ in })
  }

  /// A field that follows from others; `check` compares it.
  static func derived<Value>(
    _ name: ByteString, _ path: KeyPath<Record, Value> & Sendable, _ type: ManifestValue<Value>
  ) -> Self {
    Self(
      name: name, type: type.name, presence: .required, read: { _ = try $1.required(type.read(name, $1), name) },
      write: { type.write($0[keyPath: path]) }, join: { _, _ in })
  }
}

extension ManifestRecord {
  /// The first of several records, and in its optional fields only that on which all of them agree.
  package init(commonTo records: [Self]) {
    self = records.first ?? Self.blank
    for field in Self.fields { field.join(&self, records) }
  }
}
