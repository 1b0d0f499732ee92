/// Translates a regular expression from Oniguruma's default syntax (its doc/RE) to PCRE2's.
///
/// `tokenizers` compiles patterns with Oniguruma. Most of the syntax is the same, but what differs would be matched in
/// another way without a word: `{1,3}+` is possessive in PCRE2 and a repetition of a repetition here; `(?m)` lets "."
/// match line breaks; `a(?i)b|c` is `a(?i:b|c)`; `\h` is a hexadecimal digit; `\s` and `\w` are other sets; bracket
/// expressions nest and intersect. So the whole expression is parsed and written anew, and nothing reaches PCRE2 that
/// was not understood: verbs such as `(*LIMIT_MATCH=...)` do not.
struct OnigurumaSyntax {
  /// Why an expression cannot be translated.
  struct Failure: Error, Equatable {
    let reason: String
    /// It is an expression, of a kind that PCRE2 does not have; otherwise it is malformed.
    var isUnsupported = false
  }

  /// More than any pattern has; what is deeper would need a stack.
  private static let maximumDepth = 100

  private let characters: [Unicode.Scalar]
  private var position = 0
  private var depth = 0
  /// The groups with a number that were opened.
  private var groupCount = 0

  private init(_ pattern: String) {
    characters = Array(pattern.unicodeScalars)
  }

  static func translate(_ pattern: String) throws(Failure) -> String {
    var parser = OnigurumaSyntax(pattern)
    let translation = try parser.alternatives(isExtended: false)
    guard parser.next == nil else { throw Failure(reason: "a ')' closes no group") }
    return translation
  }

  private var next: Unicode.Scalar? { position < characters.count ? characters[position] : nil }

  private mutating func take(_ text: String) -> Bool {
    guard characters[position...].starts(with: text.unicodeScalars) else { return false }
    position += text.unicodeScalars.count
    return true
  }

  private mutating func takeNext(_ whatFor: String) throws(Failure) -> Unicode.Scalar {
    guard let next else { throw Failure(reason: "it ends within \(whatFor)") }
    position += 1
    return next
  }

  private mutating func enter() throws(Failure) {
    depth += 1
    guard depth <= Self.maximumDepth else {
      throw Failure(reason: "more than \(Self.maximumDepth) groups within one another", isUnsupported: true)
    }
  }
}

// MARK: Groups and repetitions

extension OnigurumaSyntax {
  /// What stands up to the end or to the ")" of the group.
  ///
  /// - Parameter isExtended: white space and comments are no part of the expression.
  private mutating func alternatives(isExtended: Bool) throws(Failure) -> String {
    try enter()
    defer { depth -= 1 }
    var translation = ""
    try skipComments(isExtended: isExtended)
    while let character = next, character != ")" {
      position += 1
      var unit: String
      switch character {
      case "|": unit = "|"
      case "(": unit = try group(isExtended: isExtended)
      case "[": unit = try bracketExpression().pattern
      case "\\": unit = try escape()
      case ".", "^", "$": unit = String(character)
      case "*", "+", "?": throw Failure(reason: "a '\(character)' that repeats nothing")
      default: unit = Self.literal(character)
      }
      try skipComments(isExtended: isExtended)
      if character != "|", var repeated = try repetition(of: unit) {
        try skipComments(isExtended: isExtended)
        while let again = try repetition(of: "(?:\(repeated))") {
          repeated = again
          try skipComments(isExtended: isExtended)
        }
        unit = repeated
      }
      translation += unit
    }
    return translation
  }

  private mutating func skipComments(isExtended: Bool) throws(Failure) {
    while true {
      if take("(?#") {
        while try takeNext("a comment") != ")" {}
      } else if isExtended, let next, " \t\n\r\u{B}\u{C}".unicodeScalars.contains(next) {
        position += 1
      } else if isExtended, next == "#" {
        while let next, next != "\n" { position += 1 }
      } else {
        return
      }
    }
  }

  private mutating func group(isExtended: Bool) throws(Failure) -> String {
    var opening = "("
    var isExtended = isExtended
    if take("?") {
      if let known = ["?:", "?=", "?!", "?>", "?<=", "?<!"].first(where: { take(String($0.dropFirst())) }) {
        opening += known
      } else if take("<") || take("'") {
        let closing: Unicode.Scalar = characters[position - 1] == "<" ? ">" : "'"
        opening += "?<\(try name(upTo: closing))>"
      } else {
        return try optionGroup(isExtended: &isExtended)
      }
    } else if next == "*" {
      throw Failure(reason: "a callout", isUnsupported: true)
    } else {
      groupCount += 1
    }
    return opening + (try closed(isExtended: isExtended))
  }

  /// The rest of a group, and its ")".
  private mutating func closed(isExtended: Bool) throws(Failure) -> String {
    let content = try alternatives(isExtended: isExtended)
    guard take(")") else { throw Failure(reason: "a '(' is not closed") }
    return content + ")"
  }

  /// `(?imx-imx:...)`, or `(?imx-imx)` for all that follows within the group around it, with its alternatives.
  private mutating func optionGroup(isExtended: inout Bool) throws(Failure) -> String {
    var options = ["", ""]
    var isOff = 0
    while true {
      let character = try takeNext("a group")
      switch character {
      case "-" where isOff == 0: isOff = 1
      case "i": options[isOff] += "i"
      // "." matches line breaks.
      case "m": options[isOff] += "s"
      // White space is left out in the translation.
      case "x": isExtended = isOff == 0
      case ":", ")":
        let opening = "(?\(options[0])\(options[1].isEmpty ? "" : "-\(options[1])"):"
        if character == ":" { return opening + (try closed(isExtended: isExtended)) }
        return opening + (try alternatives(isExtended: isExtended)) + ")"
      case "~", "(", "{", "W", "D", "S", "P", "y", "L", "I", "C":
        throw Failure(reason: "a group '(?\(character)'", isUnsupported: true)
      default: throw Failure(reason: "an unknown group '(?\(character)'")
      }
    }
  }

  /// A name of a group; PCRE2 must not see anything else in its place.
  private mutating func name(upTo end: Unicode.Scalar) throws(Failure) -> String {
    var name = ""
    while true {
      let character = try takeNext("a name")
      if character == end { break }
      name.unicodeScalars.append(character)
    }
    guard let first = name.utf8.first, name.utf8.count <= 32, !(UInt8(ascii: "0")...UInt8(ascii: "9") ~= first),
      name.utf8.allSatisfy({
        $0 == UInt8(ascii: "_") || UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0
          || UInt8(ascii: "a")...UInt8(ascii: "z") ~= $0 | 0x20
      })
    else { throw Failure(reason: "a name that is not of ASCII letters, digits and '_'", isUnsupported: true) }
    return name
  }

  /// `unit` with the quantifier that stands here; nil if there is none.
  private mutating func repetition(of unit: String) throws(Failure) -> String? {
    if let next, "*+?".unicodeScalars.contains(next) {
      position += 1
      let suffix = take("?") ? "?" : take("+") ? "+" : ""
      return "\(unit)\(next)\(suffix)"
    }
    guard let (minimum, maximum) = interval() else { return nil }
    if minimum == maximum {
      // "{n}?" is optional, not reluctant.
      return take("?") ? "(?:\(unit){\(minimum)})?" : "\(unit){\(minimum)}"
    }
    if let maximum, maximum < minimum {
      throw Failure(reason: "a repetition {\(minimum),\(maximum)}", isUnsupported: true)
    }
    return "\(unit){\(minimum),\(maximum.map(String.init) ?? "")}\(take("?") ? "?" : "")"
  }

  /// `{n}`, `{n,}`, `{,m}` or `{n,m}`; a "{" that begins none of them stands for itself.
  private mutating func interval() -> (minimum: Int, maximum: Int?)? {
    let start = position
    guard take("{") else { return nil }
    let minimum = number()
    var maximum = minimum
    let isRange = take(",")
    if isRange { maximum = number() }
    guard take("}"), minimum != nil || maximum != nil else {
      position = start
      return nil
    }
    return (minimum ?? 0, maximum)
  }

  private mutating func number() -> Int? {
    var digits = ""
    while let next, "0"..."9" ~= next, digits.count < 6 {
      digits.unicodeScalars.append(next)
      position += 1
    }
    return Int(digits)
  }
}

// MARK: Characters

extension OnigurumaSyntax {
  /// What a character that stands for itself is in PCRE2, within brackets and without.
  private static func literal(_ character: Unicode.Scalar) -> String {
    switch character {
    case "0"..."9", "A"..."Z", "a"..."z": String(character)
    case "!"..."~": "\\\(character)"
    default: "\\x{\(String(character.value, radix: 16, uppercase: true))}"
    }
  }

  /// What follows a "\" outside brackets.
  private mutating func escape() throws(Failure) -> String {
    let character = try takeNext("an escape")
    switch character {
    // Within a cluster Oniguruma's "\X" looks back at its beginning, and PCRE2's does not.
    case "A", "Z", "z", "G", "R", "X", "K": return "\\\(character)"
    case "b": return Self.wordBoundary(isNegated: false)
    case "B": return Self.wordBoundary(isNegated: true)
    case "N": return #"[^\x{A}]"#
    case "O": return "(?s:.)"
    case "y", "Y", "g": throw Failure(reason: "'\\\(character)'", isUnsupported: true)
    case "k":
      guard take("<") else { return "k" }
      return "\\k<\(try name(upTo: ">"))>"
    case "1"..."9":
      position -= 1
      let start = position
      let group = number()!
      if group <= 9 || group <= groupCount { return "\\g{\(group)}" }
      // Where there is no such group, the digits are octal.
      position = start + 1
      return Self.literal(try escaped(character))
    default:
      if let set = try set(escapedBy: character, isBracketed: false) { return set.pattern }
      return Self.literal(try escaped(character))
    }
  }

  private static func wordBoundary(isNegated: Bool) -> String {
    let word = CharacterSet.wordCharacter(isBracketed: false).pattern
    return isNegated
      ? "(?:(?<=\(word))(?=\(word))|(?<!\(word))(?!\(word)))" : "(?:(?<=\(word))(?!\(word))|(?<!\(word))(?=\(word)))"
  }

  /// The set that "\" and `character` stand for; nil if they stand for one character.
  private mutating func set(escapedBy character: Unicode.Scalar, isBracketed: Bool) throws(Failure) -> CharacterSet? {
    switch character {
    case "d", "D": return CharacterSet.digit.complemented(character == "D")
    case "h", "H": return CharacterSet.hexadecimalDigit.complemented(character == "H")
    case "s", "S": return CharacterSet.whiteSpace.complemented(character == "S")
    case "w", "W": return CharacterSet.wordCharacter(isBracketed: isBracketed).complemented(character == "W")
    case "p", "P":
      guard take("{") else { throw Failure(reason: "a '\\\(character)' without '{'") }
      let isNegated = take("^")
      var name = ""
      while true {
        let character = try takeNext("a property")
        if character == "}" { break }
        guard character.isASCII,
          character.properties.isAlphabetic || "0"..."9" ~= character || " -_".unicodeScalars.contains(character)
        else { throw Failure(reason: "a property \(name)\(character)", isUnsupported: true) }
        name.unicodeScalars.append(character)
      }
      guard !name.isEmpty else { throw Failure(reason: "a property without a name") }
      return CharacterSet.property(name, isBracketed: isBracketed).complemented(isNegated != (character == "P"))
    default: return nil
    }
  }

  /// The character that "\" and `character` stand for.
  private mutating func escaped(_ character: Unicode.Scalar) throws(Failure) -> Unicode.Scalar {
    switch character {
    case "a": return "\u{7}"
    case "e": return "\u{1B}"
    case "f": return "\u{C}"
    case "n": return "\n"
    case "r": return "\r"
    case "t": return "\t"
    case "v": return "\u{B}"
    case "u": return try Self.scalar(digits(radix: 16, atMost: 4))
    case "x":
      guard take("{") else {
        let value = digits(radix: 16, atMost: 2)
        // Two digits are a byte, not a character.
        guard let value, value < 0x80 else { throw Failure(reason: "a byte that is not ASCII", isUnsupported: true) }
        return try Self.scalar(value)
      }
      let value = digits(radix: 16, atMost: 8)
      guard take("}") else { throw Failure(reason: "a '\\x{' that is not one character", isUnsupported: true) }
      return try Self.scalar(value)
    case "0"..."7":
      position -= 1
      return try Self.scalar(digits(radix: 8, atMost: 3))
    case "c", "C", "M": throw Failure(reason: "'\\\(character)'", isUnsupported: true)
    default: return character
    }
  }

  private mutating func digits(radix: Int, atMost count: Int) -> UInt32? {
    let text = characters[position...].prefix(count).prefix { $0.isASCII && Character($0).isHexDigit }
    var value: UInt32?
    for digit in text {
      guard let next = UInt32(String(digit), radix: radix) else { break }
      value = (value ?? 0) &* UInt32(radix) &+ next
      position += 1
    }
    return value
  }

  private static func scalar(_ value: UInt32?) throws(Failure) -> Unicode.Scalar {
    guard let value, let scalar = Unicode.Scalar(value) else {
      throw Failure(reason: "an escape that stands for no character")
    }
    return scalar
  }
}

// MARK: Bracket expressions

extension OnigurumaSyntax {
  /// What follows a "[", up to its "]".
  private mutating func bracketExpression() throws(Failure) -> CharacterSet {
    try enter()
    defer { depth -= 1 }
    let isNegated = take("^")
    var operands: [CharacterSet] = []
    var sets: [CharacterSet] = []
    let start = position
    while true {
      let isFirst = position == start
      let character = try takeNext("brackets")
      if character == "]", !isFirst { break }
      if character == "&", take("&") {
        operands.append(.joining(sets))
        sets = []
      } else if character == "[", let posix = try posixClass() {
        sets.append(posix)
      } else if character == "[" {
        sets.append(try bracketExpression())
      } else if character == "\\", let next, let set = try escapedSet(next) {
        sets.append(set)
      } else {
        sets.append(try range(from: try member(character)))
      }
    }
    operands.append(.joining(sets))
    return (operands.count == 1 ? operands[0] : .intersection(operands)).complemented(isNegated)
  }

  /// The set of an escape within brackets, which `next` begins; nil if the escape is of one character.
  private mutating func escapedSet(_ next: Unicode.Scalar) throws(Failure) -> CharacterSet? {
    position += 1
    if let set = try set(escapedBy: next, isBracketed: true) { return set }
    position -= 1
    return nil
  }

  /// A single character within brackets, of which `first` was taken.
  private mutating func member(_ first: Unicode.Scalar) throws(Failure) -> Unicode.Scalar {
    guard first == "\\" else { return first }
    let character = try takeNext("an escape")
    return character == "b" ? "\u{8}" : try escaped(character)
  }

  /// A character, or the range that it begins.
  private mutating func range(from lower: Unicode.Scalar) throws(Failure) -> CharacterSet {
    let start = position
    // A "-" before the closing bracket, before a set or an operator stands for itself.
    guard take("-"), let next, next != "]", next != "[",
      !(next == "&" && characters[position...].starts(with: "&&".unicodeScalars))
    else {
      position = start
      return .items(Self.literal(lower))
    }
    position += 1
    if next == "\\", let escaped = self.next, "dDhHsSwWpP".unicodeScalars.contains(escaped) {
      throw Failure(reason: "a range that ends with a set")
    }
    let upper = try member(next)
    guard lower <= upper else { throw Failure(reason: "a range whose end comes before its beginning") }
    return .items("\(Self.literal(lower))-\(Self.literal(upper))")
  }

  /// `[:name:]` or `[:^name:]`, of which the "[" was taken; nil if none stands here.
  private mutating func posixClass() throws(Failure) -> CharacterSet? {
    let start = position
    guard take(":") else { return nil }
    let isNegated = take("^")
    var name = ""
    while let next, "a"..."z" ~= next {
      name.unicodeScalars.append(next)
      position += 1
    }
    guard take(":]") else {
      position = start
      return nil
    }
    guard let known = CharacterSet.posixClass(name) else { throw Failure(reason: "an unknown class [:\(name):]") }
    return known.complemented(isNegated)
  }
}
