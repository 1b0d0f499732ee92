extension JSON {
  /// The text of the value: keys sorted bytewise, no white space, UTF-8. The same value gives the same bytes.
  ///
  /// - Precondition: every number is finite.
  public func serialized() -> [UInt8] {
    var output: [UInt8] = []
    write(into: &output, indentation: nil, isCanonical: true)
    return output
  }

  /// The text for people and for `--json`: two spaces per level, members in their own order, a trailing newline. What a
  /// person does not see is escaped (`escapingUnprintable`): it stays in the value and does nothing to a terminal.
  public func prettyPrinted() -> String {
    var output: [UInt8] = []
    write(into: &output, indentation: 0, isCanonical: false)
    return String(decoding: output, as: UTF8.self) + "\n"
  }

  private func write(into output: inout [UInt8], indentation: Int?, isCanonical: Bool) {
    switch self {
    case .null: output.append(contentsOf: "null".utf8)
    case .bool(let value): output.append(contentsOf: (value ? "true" : "false").utf8)
    case .integer(let value): output.append(contentsOf: String(value).utf8)
    case .double(let value):
      precondition(value.isFinite, "JSON has no infinities and no NaN")
      output.append(contentsOf: value.description.utf8)
    case .string(let bytes): Self.write(bytes, into: &output, escaping: !isCanonical)
    case .array(let elements):
      let inner = Self.innerIndentation(indentation, isFlat: elements.allSatisfy(\.isScalar))
      Self.write(
        elements, brackets: ("[", "]"), into: &output, outer: inner == nil ? nil : indentation, inner: inner,
        separator: indentation == nil ? "," : (inner == nil ? ", " : ",")
      ) { element, output in element.write(into: &output, indentation: inner, isCanonical: isCanonical) }
    case .object(let object):
      let inner = Self.innerIndentation(indentation, isFlat: false)
      let members = isCanonical ? object.members.sorted { $0.key < $1.key } : object.members
      Self.write(members, brackets: ("{", "}"), into: &output, outer: indentation, inner: inner, separator: ",") {
        member, output in
        Self.write(member.key, into: &output, escaping: !isCanonical)
        output.append(contentsOf: (indentation == nil ? ":" : ": ").utf8)
        member.value.write(into: &output, indentation: inner, isCanonical: isCanonical)
      }
    }
  }

  private var isScalar: Bool {
    switch self {
    case .array, .object: false
    default: true
    }
  }

  /// Arrays of plain values stay on one line.
  private static func innerIndentation(_ outer: Int?, isFlat: Bool) -> Int? {
    isFlat ? nil : outer.map { $0 + 2 }
  }

  private static func write<Item>(
    _ items: [Item], brackets: (String, String), into output: inout [UInt8], outer: Int?, inner: Int?,
    separator: String, writeItem: (Item, inout [UInt8]) -> Void
  ) {
    func breakLine(_ indentation: Int?) {
      if let indentation {
        output.append(UInt8(ascii: "\n"))
        output.append(contentsOf: repeatElement(UInt8(ascii: " "), count: indentation))
      }
    }
    output.append(contentsOf: brackets.0.utf8)
    for (position, item) in items.enumerated() {
      if position > 0 { output.append(contentsOf: separator.utf8) }
      breakLine(inner)
      writeItem(item, &output)
    }
    if !items.isEmpty { breakLine(outer) }
    output.append(contentsOf: brackets.1.utf8)
  }

  /// A string in quotes.
  ///
  /// - Parameter isEscaping: whether what a person does not see is escaped; what JSON does not allow is in any case.
  private static func write(_ bytes: ByteString, into output: inout [UInt8], escaping isEscaping: Bool) {
    output.append(UInt8(ascii: "\""))
    let start = output.count
    for byte in bytes.bytes {
      switch byte {
      case UInt8(ascii: "\""): output.append(contentsOf: "\\\"".utf8)
      case UInt8(ascii: "\\"): output.append(contentsOf: "\\\\".utf8)
      case 0x0A: output.append(contentsOf: "\\n".utf8)
      case 0x0D: output.append(contentsOf: "\\r".utf8)
      case 0x09: output.append(contentsOf: "\\t".utf8)
      case 0..<0x20: escape(UInt16(byte), into: &output)
      default: output.append(byte)
      }
    }
    if isEscaping, output[start...].contains(where: { $0 >= 0x7F }) {
      let text = String(decoding: output[start...], as: UTF8.self).escapingUnprintable { scalar in
        var units: [UInt8] = []
        for unit in scalar.utf16 { escape(unit, into: &units) }
        return String(decoding: units, as: UTF8.self)
      }
      output.replaceSubrange(start..., with: text.utf8)
    }
    output.append(UInt8(ascii: "\""))
  }

  private static func escape(_ unit: UInt16, into output: inout [UInt8]) {
    let digits = Array("0123456789abcdef".utf8)
    output.append(contentsOf: "\\u".utf8)
    for shift in [12, 8, 4, 0] { output.append(digits[Int(unit >> shift & 15)]) }
  }
}
