/// Why a text is not JSON, and at which byte.
public struct JSONSyntaxError: Error, Equatable {
  public let offset: Int
  public let reason: String
  /// Whether it may be JSON, but deeper or of more values than is read.
  public var exceedsLimit = false
}

extension JSON {
  /// Parses one JSON text (RFC 8259, UTF-8, surrounding white space allowed).
  ///
  /// - Parameters:
  ///   - maximumDepth: how deeply arrays and objects may nest.
  ///   - maximumValueCount: how many values there may be in all. A value takes up to a hundred times its text.
  /// - Throws: `JSONSyntaxError`; a duplicate key, a lone surrogate and a byte sequence that is not UTF-8 are errors.
  public static func parse(
    _ bytes: UnsafeRawBufferPointer, maximumDepth: Int = 64, maximumValueCount: Int = .max
  ) throws(JSONSyntaxError) -> JSON {
    var parser = JSONParser(bytes: bytes, maximumDepth: maximumDepth, maximumValueCount: maximumValueCount)
    return try parser.parseText()
  }

  public static func parse(
    _ bytes: [UInt8], maximumDepth: Int = 64, maximumValueCount: Int = .max
  ) throws(JSONSyntaxError) -> JSON {
    let result: Result<JSON, JSONSyntaxError> = bytes.withUnsafeBytes { buffer in
      Result { () throws(JSONSyntaxError) in
        try parse(buffer, maximumDepth: maximumDepth, maximumValueCount: maximumValueCount)
      }
    }
    return try result.get()
  }

  /// Parses a JSON text that is an array.
  ///
  /// - Returns: its elements, each with the offset at which it begins.
  public static func parseElements(
    _ bytes: UnsafeRawBufferPointer
  ) throws(JSONSyntaxError) -> [(offset: Int, value: JSON)] {
    var parser = JSONParser(bytes: bytes, maximumDepth: 64, maximumValueCount: .max)
    guard case .array(let elements) = try parser.parseText() else {
      throw JSONSyntaxError(offset: 0, reason: "an array is expected")
    }
    return Array(zip(parser.elementOffsets, elements))
  }

  /// Parses the file at `path`.
  ///
  /// - Parameter malformed: what kind of failure it is if the text is not JSON; beyond the limits it is damaged input.
  /// - Throws: an `ErrataError` that names the file and the byte.
  public static func parse(
    contentsOf path: String, maximumValueCount: Int = .max, malformed: ErrataError.Kind = .damagedInput
  ) throws -> JSON {
    try parse(MappedFile(path: path), maximumValueCount: maximumValueCount, malformed: malformed)
  }

  /// Parses a file; as it is when it is read, whoever rewrites it meanwhile.
  ///
  /// - Parameter malformed: as for a path.
  /// - Throws: an `ErrataError` that names the file and the byte.
  package static func parse(
    _ file: MappedFile, maximumValueCount: Int = .max, malformed: ErrataError.Kind = .damagedInput
  ) throws -> JSON {
    let text = withExtendedLifetime(file) { Array(file.bytes) }
    do {
      return try parse(text, maximumValueCount: maximumValueCount)
    } catch {
      throw text.withUnsafeBytes({ ErrataError.recognized(file.path, $0, wanted: "a JSON file") })
        ?? ErrataError.notJSON(malformed, file.path, error)
    }
  }
}

private struct JSONParser {
  let bytes: UnsafeRawBufferPointer
  let maximumDepth: Int
  let maximumValueCount: Int
  var position = 0
  var depth = 0
  var valueCount = 0
  /// Of the elements of an array that is the whole text.
  var elementOffsets: [Int] = []

  init(bytes: UnsafeRawBufferPointer, maximumDepth: Int, maximumValueCount: Int) {
    self.bytes = bytes
    self.maximumDepth = maximumDepth
    self.maximumValueCount = maximumValueCount
  }

  func failure(_ reason: String, at offset: Int? = nil, exceedsLimit: Bool = false) -> JSONSyntaxError {
    JSONSyntaxError(offset: offset ?? position, reason: reason, exceedsLimit: exceedsLimit)
  }

  var current: UInt8? { position < bytes.count ? bytes[position] : nil }

  mutating func skipWhiteSpace() {
    while position < bytes.count {
      switch bytes[position] {
      case 0x20, 0x09, 0x0A, 0x0D: position += 1
      default: return
      }
    }
  }

  mutating func parseText() throws(JSONSyntaxError) -> JSON {
    skipWhiteSpace()
    let value = try parseValue()
    skipWhiteSpace()
    guard position == bytes.count else { throw failure("unexpected text after the value") }
    return value
  }

  mutating func parseValue() throws(JSONSyntaxError) -> JSON {
    guard let byte = current else { throw failure("the text ends where a value is expected") }
    valueCount += 1
    guard valueCount <= maximumValueCount else {
      throw failure("more than \(maximumValueCount) values", exceedsLimit: true)
    }
    switch byte {
    case UInt8(ascii: "{"): return try parseObject()
    case UInt8(ascii: "["): return try parseArray()
    case UInt8(ascii: "\""): return .string(try parseString())
    case UInt8(ascii: "t"): return try parseLiteral("true", .bool(true))
    case UInt8(ascii: "f"): return try parseLiteral("false", .bool(false))
    case UInt8(ascii: "n"): return try parseLiteral("null", .null)
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try parseNumber()
    default: throw failure("a value is expected")
    }
  }

  mutating func parseLiteral(_ word: StaticString, _ value: JSON) throws(JSONSyntaxError) -> JSON {
    let length = word.utf8CodeUnitCount
    guard position + length <= bytes.count,
      UnsafeRawBufferPointer(rebasing: bytes[position..<position + length])
        .elementsEqual(UnsafeBufferPointer(start: word.utf8Start, count: length))
    else { throw failure("a value is expected") }
    position += length
    return value
  }

  mutating func enter() throws(JSONSyntaxError) {
    depth += 1
    guard depth <= maximumDepth else {
      throw failure("nested more than \(maximumDepth) levels deep", exceedsLimit: true)
    }
    position += 1
    skipWhiteSpace()
  }

  mutating func parseObject() throws(JSONSyntaxError) -> JSON {
    try enter()
    defer { depth -= 1 }
    var object = JSONObject()
    if current == UInt8(ascii: "}") {
      position += 1
      return .object(object)
    }
    while true {
      let keyOffset = position
      guard current == UInt8(ascii: "\"") else { throw failure("a key is expected") }
      let key = try parseString()
      skipWhiteSpace()
      guard current == UInt8(ascii: ":") else { throw failure("':' is expected") }
      position += 1
      skipWhiteSpace()
      let value = try parseValue()
      guard object.append(key, value) else { throw failure("duplicate key \"\(key)\"", at: keyOffset) }
      skipWhiteSpace()
      switch current {
      case UInt8(ascii: ","):
        position += 1
        skipWhiteSpace()
      case UInt8(ascii: "}"):
        position += 1
        return .object(object)
      default: throw failure("',' or '}' is expected")
      }
    }
  }

  mutating func parseArray() throws(JSONSyntaxError) -> JSON {
    try enter()
    defer { depth -= 1 }
    var elements: [JSON] = []
    if current == UInt8(ascii: "]") {
      position += 1
      return .array(elements)
    }
    while true {
      if depth == 1 { elementOffsets.append(position) }
      elements.append(try parseValue())
      skipWhiteSpace()
      switch current {
      case UInt8(ascii: ","):
        position += 1
        skipWhiteSpace()
      case UInt8(ascii: "]"):
        position += 1
        return .array(elements)
      default: throw failure("',' or ']' is expected")
      }
    }
  }

  mutating func parseNumber() throws(JSONSyntaxError) -> JSON {
    let start = position
    func isDigit(_ byte: UInt8?) -> Bool { byte.map { $0 >= 0x30 && $0 <= 0x39 } ?? false }
    if current == UInt8(ascii: "-") { position += 1 }
    guard isDigit(current) else { throw failure("a digit is expected") }
    if current == UInt8(ascii: "0") {
      position += 1
    } else {
      while isDigit(current) { position += 1 }
    }
    var isInteger = true
    if current == UInt8(ascii: ".") {
      isInteger = false
      position += 1
      guard isDigit(current) else { throw failure("a digit is expected") }
      while isDigit(current) { position += 1 }
    }
    if current == UInt8(ascii: "e") || current == UInt8(ascii: "E") {
      isInteger = false
      position += 1
      if current == UInt8(ascii: "+") || current == UInt8(ascii: "-") { position += 1 }
      guard isDigit(current) else { throw failure("a digit is expected") }
      while isDigit(current) { position += 1 }
    }
    let digits = UnsafeRawBufferPointer(rebasing: bytes[start..<position])
    if isInteger, digits.count <= 18 { return .integer(Self.integer(digits)) }
    let text = String(decoding: digits, as: UTF8.self)
    if isInteger, let value = Int(text) { return .integer(value) }
    guard let value = Double(text), value.isFinite else { throw failure("the number is too large", at: start) }
    return .double(value)
  }

  /// The value of up to 18 characters, which cannot overflow: digits, perhaps behind a minus.
  private static func integer(_ digits: UnsafeRawBufferPointer) -> Int {
    let isNegative = digits[0] == UInt8(ascii: "-")
    let magnitude = digits[(isNegative ? 1 : 0)...].reduce(0) { 10 * $0 + Int($1 & 0x0F) }
    return isNegative ? -magnitude : magnitude
  }

  mutating func parseString() throws(JSONSyntaxError) -> ByteString {
    let start = position
    position += 1
    var end = position
    var allASCII = true
    while end < bytes.count, bytes[end] != UInt8(ascii: "\""), bytes[end] != UInt8(ascii: "\\"), bytes[end] >= 0x20 {
      allASCII = allASCII && bytes[end] < 0x80
      end += 1
    }
    var text = [UInt8](UnsafeRawBufferPointer(rebasing: bytes[position..<end]))
    position = end
    while let byte = current {
      position += 1
      switch byte {
      case UInt8(ascii: "\""):
        guard allASCII || isValidUTF8(text) else { throw failure("the string is not UTF-8", at: start) }
        return ByteString(text)
      case UInt8(ascii: "\\"):
        try parseEscape(into: &text)
        allASCII = false
      case 0x20...:
        allASCII = allASCII && byte < 0x80
        text.append(byte)
      default:
        throw failure("a control character in a string", at: position - 1)
      }
    }
    throw failure("the text ends inside a string", at: start)
  }

  mutating func parseEscape(into text: inout [UInt8]) throws(JSONSyntaxError) {
    guard let byte = current else { throw failure("the text ends inside a string") }
    position += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
    case UInt8(ascii: "b"): text.append(0x08)
    case UInt8(ascii: "f"): text.append(0x0C)
    case UInt8(ascii: "n"): text.append(0x0A)
    case UInt8(ascii: "r"): text.append(0x0D)
    case UInt8(ascii: "t"): text.append(0x09)
    case UInt8(ascii: "u"):
      let start = position - 2
      var code = try parseFourDigits()
      if (0xD800..<0xDC00).contains(code) {
        guard current == UInt8(ascii: "\\"), position + 1 < bytes.count, bytes[position + 1] == UInt8(ascii: "u") else {
          throw failure("a lone surrogate", at: start)
        }
        position += 2
        let low = try parseFourDigits()
        guard (0xDC00..<0xE000).contains(low) else { throw failure("a lone surrogate", at: start) }
        code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
      }
      guard let scalar = Unicode.Scalar(code) else { throw failure("a lone surrogate", at: start) }
      text.append(contentsOf: UTF8.encode(scalar)!)
    default: throw failure("an unknown escape", at: position - 2)
    }
  }

  mutating func parseFourDigits() throws(JSONSyntaxError) -> UInt32 {
    var value: UInt32 = 0
    for _ in 0..<4 {
      guard let byte = current, let digit = Character(Unicode.Scalar(byte)).hexDigitValue, byte < 0x80 else {
        throw failure("four hexadecimal digits are expected")
      }
      value = value << 4 | UInt32(digit)
      position += 1
    }
    return value
  }
}

/// Whether `bytes` is well-formed UTF-8.
public func isValidUTF8(_ bytes: [UInt8]) -> Bool {
  String(validating: bytes, as: UTF8.self) != nil
}
