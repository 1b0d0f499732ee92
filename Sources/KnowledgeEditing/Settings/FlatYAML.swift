import Tensors

/// The part of YAML that hyperparameter files use: `key: value` lines with scalars and lists, which may nest, no nested
/// mappings.
///
/// Scalars become what YAML 1.2's core schema makes of them: null, booleans, integers, other numbers, else strings.
struct FlatYAML {
  private let path: String
  private var object = JSONObject()
  /// As for JSON.
  private static let maximumDepth = 64
  /// The key whose value may follow as `- item` lines, and its items.
  private var open: (key: ByteString, items: [JSON])?

  /// - Throws: an `ErrataError` that names the line, from 1.
  static func parse(_ bytes: [UInt8], path: String) throws -> JSONObject {
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw ErrataError.hyperparameters(path, "is neither JSON nor YAML in UTF-8")
    }
    var parser = FlatYAML(path: path)
    for (index, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated() {
      try parser.read(String(line), number: index + 1)
    }
    parser.close()
    return parser.object
  }

  private init(path: String) { self.path = path }

  private func failure(_ number: Int, _ problem: String) -> ErrataError {
    ErrataError.hyperparameters(path, "line \(number): \(problem)")
  }

  private mutating func read(_ line: String, number: Int) throws {
    let content = Self.withoutComment(line)
    let trimmed = content.trimmed
    if trimmed.isEmpty || trimmed == "---" { return }
    if trimmed == "-" || trimmed.hasPrefix("- ") {
      guard open != nil else { throw failure(number, "a list item belongs to no key") }
      open!.items.append(try value(trimmed.dropFirst().trimmed, number))
      return
    }
    close()
    guard content.first?.isWhitespace == false else { throw failure(number, "nested mappings are not supported") }
    guard let colon = trimmed.firstIndex(of: ":"), colon != trimmed.startIndex,
      case let rest = trimmed[trimmed.index(after: colon)...], rest.isEmpty || rest.first!.isWhitespace
    else { throw failure(number, "is not 'key: value'") }
    let key = ByteString(Self.unquoted(trimmed[..<colon].trimmed) ?? trimmed[..<colon].trimmed)
    guard object[key] == nil else { throw failure(number, "'\(key)' stands twice") }
    if rest.allSatisfy(\.isWhitespace) {
      object[key] = .null
      open = (key, [])
    } else {
      object[key] = try value(rest.trimmed, number)
    }
  }

  private mutating func close() {
    if let (key, items) = open, !items.isEmpty { object[key] = .array(items) }
    open = nil
  }

  /// Cuts off what follows a `#` at the start or after a space, outside of quotes.
  private static func withoutComment(_ line: String) -> String {
    var quote: Character?
    var previous: Character = " "
    for index in line.indices {
      let character = line[index]
      if let open = quote {
        if character == open { quote = nil }
      } else if character == "#", previous.isWhitespace {
        return String(line[..<index])
      } else if character == "\"" || character == "'" {
        quote = character
      }
      previous = character
    }
    return line
  }

  private func value(_ text: String, _ number: Int) throws -> JSON {
    if text.hasPrefix("[") {
      var rest = text[...]
      let list = try list(&rest, number, depth: 1)
      guard rest.allSatisfy(\.isWhitespace) else { throw failure(number, "something follows the list") }
      return list
    }
    if "{&*!|>%@`".contains(text.first ?? " ") { throw failure(number, "'\(text)' is not a scalar or a list") }
    return scalar(text)
  }

  /// Reads `[a, [b, c]]` from the start of `text`.
  private func list(_ text: inout Substring, _ number: Int, depth: Int) throws -> JSON {
    guard depth <= Self.maximumDepth else {
      throw ErrataError.hyperparametersBeyondLimit(
        path, "line \(number): lists nested more than \(Self.maximumDepth) levels deep")
    }
    text.removeFirst()
    var items: [JSON] = []
    while true {
      text = text.drop(while: \.isWhitespace)
      switch text.first {
      case nil: throw failure(number, "the list does not end")
      case "]":
        text.removeFirst()
        return .array(items)
      case "[": items.append(try list(&text, number, depth: depth + 1))
      case "\"", "'":
        let quote = text.removeFirst()
        guard let end = text.firstIndex(of: quote) else { throw failure(number, "a quotation mark is not closed") }
        items.append(JSON(String(text[..<end])))
        text = text[text.index(after: end)...]
      default:
        let item = text.prefix { $0 != "," && $0 != "]" }
        text.removeFirst(item.count)
        items.append(scalar(item.trimmed))
      }
      text = text.drop(while: \.isWhitespace)
      if text.first == "," { text.removeFirst() }
    }
  }

  private func scalar(_ text: String) -> JSON {
    if let quoted = Self.unquoted(text) { return JSON(quoted) }
    switch text {
    case "", "~", "null", "Null", "NULL": return .null
    case "true", "True", "TRUE": return .bool(true)
    case "false", "False", "FALSE": return .bool(false)
    default: break
    }
    if let integer = Int(text) { return .integer(integer) }
    // Double also reads words like "inf" and hexadecimal numbers.
    if text.allSatisfy({ "0123456789+-.eE".contains($0) }), let number = Double(text) { return .double(number) }
    return JSON(text)
  }

  private static func unquoted(_ text: String) -> String? {
    guard text.count >= 2, let quote = text.first, quote == "\"" || quote == "'", text.last == quote else { return nil }
    return String(text.dropFirst().dropLast())
  }
}

extension StringProtocol {
  fileprivate var trimmed: String {
    String(drop(while: \.isWhitespace).reversed().drop(while: \.isWhitespace).reversed())
  }
}
