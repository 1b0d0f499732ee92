/// A JSON value whose strings and keys are byte strings, and whose objects keep their order and have no duplicate keys.
///
/// `Foundation.JSONDecoder` is five times slower on a large `tokenizer.json`, merges canonically equivalent keys and
/// lets the last duplicate win; none of that is acceptable for hostile or for exact input.
public enum JSON: Sendable, Equatable {
  case null
  case bool(Bool)
  /// A number written without fraction and exponent that fits.
  case integer(Int)
  /// Any other number.
  case double(Double)
  case string(ByteString)
  case array([JSON])
  case object(JSONObject)

  /// The member `key` of an object; nil if there is none or this is not an object.
  public subscript(key: ByteString) -> JSON? {
    if case .object(let object) = self { object[key] } else { nil }
  }

  public var objectValue: JSONObject? { if case .object(let object) = self { object } else { nil } }
  public var arrayValue: [JSON]? { if case .array(let elements) = self { elements } else { nil } }
  public var bytesValue: ByteString? { if case .string(let bytes) = self { bytes } else { nil } }
  public var stringValue: String? { bytesValue.map(\.description) }
  public var boolValue: Bool? { if case .bool(let value) = self { value } else { nil } }
  public var integerValue: Int? { if case .integer(let value) = self { value } else { nil } }

  /// The number, whichever way it is written.
  public var doubleValue: Double? {
    switch self {
    case .integer(let value): Double(value)
    case .double(let value): value
    default: nil
    }
  }

  public var isNull: Bool { self == .null }

  /// What kind of value it is, for messages: "a string".
  public var kind: String {
    switch self {
    case .null: "null"
    case .bool: "a boolean"
    case .integer, .double: "a number"
    case .string: "a string"
    case .array: "an array"
    case .object: "an object"
    }
  }
}

/// The members of a JSON object, in the order of the text.
public struct JSONObject: Sendable, Equatable {
  public private(set) var members: [(key: ByteString, value: JSON)] = []
  private var positions = KeyPositions()

  public init() {}

  public init(_ members: KeyValuePairs<ByteString, JSON>) {
    for (key, value) in members { self[key] = value }
  }

  public var keys: [ByteString] { members.map(\.key) }
  public var count: Int { members.count }

  /// Setting nil is not supported: objects are built once.
  public subscript(key: ByteString) -> JSON? {
    get { positions.find(key, in: members).map { members[$0].value } }
    set {
      guard let newValue else { return }
      if let position = positions.find(key, in: members) {
        members[position].value = newValue
      } else {
        _ = append(key, newValue)
      }
    }
  }

  /// Appends a member; false, and no change, if the key is there already.
  public mutating func append(_ key: ByteString, _ value: JSON) -> Bool {
    guard positions.insert(key, in: members) else { return false }
    members.append((key, value))
    return true
  }

  public static func == (left: JSONObject, right: JSONObject) -> Bool {
    left.count == right.count && left.members.allSatisfy { right[$0.key] == $0.value }
  }
}

extension JSON: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral,
  ExpressibleByBooleanLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
  public init(stringLiteral value: String) { self = .string(ByteString(value)) }
  public init(integerLiteral value: Int) { self = .integer(value) }
  public init(floatLiteral value: Double) { self = .double(value) }
  public init(booleanLiteral value: Bool) { self = .bool(value) }
  public init(arrayLiteral elements: JSON...) { self = .array(elements) }

  public init(dictionaryLiteral elements: (ByteString, JSON)...) {
    var object = JSONObject()
    for (key, value) in elements { object[key] = value }
    self = .object(object)
  }

  public init(_ text: String) { self = .string(ByteString(text)) }
}
