import Tensors

/// Reads the records of one published schema.
protocol FactReader {
  /// How messages name the schema.
  static var name: String { get }
  /// Whether a record with these fields is of this schema.
  static func recognizes(_ fields: Set<ByteString>) -> Bool
  /// The facts of a record, in most schemas one.
  ///
  /// - Throws: an `ErrataError` that names file, record and field.
  static func read(_ record: FactFields) throws -> [FactRecord]
}

/// The schemas, and which one a file is in.
enum FactReaders {
  static var all: [any FactReader.Type] {
    [CounterFactReader.self, ZsREReader.self, EasyEditReader.self, PlainReader.self]
  }

  /// The reader of a file's records, chosen by the fields of the first of them that is of a known schema; nil if
  /// nothing in the file is a record.
  ///
  /// - Throws: an `ErrataError` about the first record if none is of a known schema.
  static func reader(of records: ArraySlice<FactFile.Record>) throws -> (any FactReader.Type)? {
    var first: FactFields?
    for case .success(let record) in records {
      first = first ?? record
      guard let names = try? record.names() else { continue }
      if let reader = all.first(where: { $0.recognizes(names) }) { return reader }
    }
    guard let first else { return nil }
    throw ErrataError.unknownSchema(first.place, fields: try first.names().sorted().map(\.description))
  }
}
