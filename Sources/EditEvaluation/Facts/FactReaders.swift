import Tensors

/// Reads the records of one published schema.
protocol FactReader {
  /// How messages name the schema.
  static var name: String { get }
  /// Whether a record with these fields is of this schema.
  static func recognizes(_ fields: Set<String>) -> Bool
  /// - Throws: an `ErrataError` that names file, record and field.
  static func read(_ record: FactFields) throws -> FactRecord
}

/// The schemas, and which one a file is in.
enum FactReaders {
  static var all: [any FactReader.Type] {
    [CounterFactReader.self, ZsREReader.self, EasyEditReader.self, PlainReader.self]
  }

  /// The reader of a file's records, chosen by the fields of the first of them.
  ///
  /// - Throws: an `ErrataError` if it is no object, or has the fields of no schema.
  static func reader(of first: FactFields) throws -> any FactReader.Type {
    let names = try first.names()
    if let reader = all.first(where: { $0.recognizes(names) }) { return reader }
    throw ErrataError.unknownSchema(first.file, record: first.record, fields: names.sorted())
  }
}
