import Tensors

/// A type of values in the manifest, as Spec/wpatch.md names it: how one is read, and how it is written.
struct ManifestValue<Value: Equatable & Sendable>: Sendable {
  /// The word in the "type" column of the Spec's tables.
  let name: String
  /// The value of a field; nil if it is absent. An error names the field.
  let read: @Sendable (_ field: ByteString, _ object: ManifestObject) throws -> Value?
  /// nil for a value that JSON cannot hold.
  let write: @Sendable (Value) -> JSON?
}

extension ManifestValue {
  /// - Parameters:
  ///   - expected: continues "is not": what belongs there.
  ///   - convert: nil for JSON that is no such value.
  init(
    _ name: String, _ expected: String, _ convert: @escaping @Sendable (JSON) -> Value?,
    _ write: @escaping @Sendable (Value) -> JSON?
  ) {
    self.init(name: name, read: { try $1.value($0, expected, convert) }, write: write)
  }

  /// An array of values, each read as JSON by itself.
  static func array<Element>(
    _ element: ManifestValue<Element>, _ expected: String, _ convert: @escaping @Sendable (JSON) -> Element?
  ) -> ManifestValue<[Element]> where Value == [Element] {
    ManifestValue<[Element]>(
      "[\(element.name)]", expected,
      { json in
        guard let values = json.arrayValue?.map(convert), values.allSatisfy({ $0 != nil }) else { return nil }
        return values.compactMap(\.self)
      }, { .array($0.compactMap(element.write)) })
  }

  /// An object of values of one type, by tensor name.
  static func byTensor<Element>(
    _ element: ManifestValue<Element>
  ) -> ManifestValue<[ByteString: Element]> where Value == [ByteString: Element] {
    ManifestValue<[ByteString: Element]>(
      name: "{\(element.name)}",
      read: { field, object in
        guard let members = try object.object(field) else { return nil }
        return Dictionary(
          uniqueKeysWithValues: try members.object.keys.map {
            ($0, try members.required(element.read($0, members), $0))
          })
      },
      write: { values in
        var object = JSONObject()
        for name in values.keys.sorted() { object[name] = element.write(values[name]!) }
        return .object(object)
      })
  }
}

extension ManifestValue where Value == String {
  static let text = ManifestValue("text", "a string", \.stringValue) { JSON($0) }
}

extension ManifestValue where Value == Double {
  static let number = ManifestValue("number", "a number", \.doubleValue, \.finite)
  /// A norm, an error, a share of something: nothing that could be negative.
  static let magnitude = ManifestValue(
    "number", "a number of zero or more", { $0.doubleValue.flatMap { $0 >= 0 ? $0 : nil } }, \.finite)
  static let probability = ManifestValue("number", "a number from 0 to 1", Self.share, \.finite)

  fileprivate static let share: @Sendable (JSON) -> Double? = { $0.doubleValue.flatMap { 0...1 ~= $0 ? $0 : nil } }
}

extension Double {
  /// JSON has no infinities and no NaN: a figure that is not finite is not known.
  fileprivate var finite: JSON? { isFinite ? .double(self) : nil }
}

extension ManifestValue where Value == Int {
  static let integer = ManifestValue("integer", "an integer", \.integerValue, JSON.integer)
  static let count = ManifestValue(
    "integer", "an integer of zero or more", { $0.integerValue.flatMap { $0 >= 0 ? $0 : nil } }, JSON.integer)
  static let positive = ManifestValue(
    "integer", "a positive integer", { $0.integerValue.flatMap { $0 > 0 ? $0 : nil } }, JSON.integer)
}

extension ManifestValue where Value == Bool {
  static let flag = ManifestValue("flag", "a boolean", \.boolValue, JSON.bool)
}

extension ManifestValue where Value == Digest {
  /// Digests have one form, so that texts can be compared.
  static let digest = ManifestValue(
    "digest", "a SHA-256 value (64 lower-case hexadecimal digits)", Self.parse, { JSON($0.description) })

  fileprivate static let parse: @Sendable (JSON) -> Digest? = { json in
    guard let text = json.stringValue, let digest = Digest(hexadecimal: text), digest.description == text else {
      return nil
    }
    return digest
  }
}

extension ManifestValue where Value == [Digest] {
  static let digests = array(.digest, "an array of SHA-256 values", ManifestValue<Digest>.parse)
}
extension ManifestValue where Value == [Int] {
  static let integers = array(.integer, "an array of integers", \.integerValue)
}
extension ManifestValue where Value == [String] {
  static let texts = array(.text, "an array of strings", \.stringValue)
}
extension ManifestValue where Value == [Double] {
  static let probabilities = array(.probability, "an array of numbers from 0 to 1", ManifestValue<Double>.share)
}

extension ManifestValue where Value == Manifest.TermSlack {
  /// One number for all terms, or one for each.
  static let slack = ManifestValue(
    "number or [number]", "a number of zero or more, or an array of such numbers",
    { json in
      func magnitude(_ json: JSON) -> Double? { json.doubleValue.flatMap { $0 >= 0 && $0.isFinite ? $0 : nil } }
      guard let elements = json.arrayValue else { return magnitude(json).map { Manifest.TermSlack.same($0) } }
      let values = elements.map(magnitude)
      return values.isEmpty || values.contains { $0 == nil } ? nil : .perTerm(values.compactMap(\.self))
    },
    { slack in
      switch slack {
      case .same(let value): value.finite
      case .perTerm(let values): .array(values.map(JSON.double))
      }
    })
}

extension ManifestValue where Value: ManifestRecord {
  static var record: ManifestValue {
    ManifestValue(
      name: Value.name, read: { try $1.object($0).map(Value.init) }, write: { .object($0.members) })
  }
}

extension ManifestValue {
  static func records<Record: ManifestRecord>() -> ManifestValue<[Record]> where Value == [Record] {
    ManifestValue<[Record]>(
      name: "[\(Record.name)]", read: { try $1.objects($0)?.map(Record.init) },
      write: { .array($0.map { .object($0.members) }) })
  }
}

extension ManifestValue where Value == DType {
  static let weightType = ManifestValue(
    "text", "one of F32, F16 and BF16",
    { $0.stringValue.flatMap(DType.init(rawValue:)).flatMap { $0.isWeightType ? $0 : nil } }, { JSON($0.rawValue) })
}

extension ManifestValue where Value == Shape {
  static let shape = ManifestValue(
    "[integer]", "an array of sizes",
    { json in
      let extents = json.arrayValue?.map(\.integerValue)
      guard let extents, extents.allSatisfy({ ($0 ?? 0) > 0 }) else { return nil }
      let shape = Shape(extents.compactMap(\.self))
      return shape.elementCount == nil ? nil : shape
    }, { .array($0.extents.map(JSON.integer)) })
}

extension ManifestValue where Value: RawRepresentable & CaseIterable, Value.RawValue == String {
  /// One of a few words.
  static var word: ManifestValue {
    let words = Value.allCases.map { "\"\($0.rawValue)\"" }
    let last = words.count > 1 ? " or \(words.last!)" : ""
    return ManifestValue(
      "text", words.dropLast(words.count > 1 ? 1 : 0).joined(separator: ", ") + last,
      { $0.stringValue.flatMap(Value.init(rawValue:)) }, { JSON($0.rawValue) })
  }
}
