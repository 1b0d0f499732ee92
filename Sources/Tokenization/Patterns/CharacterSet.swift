/// A set of characters of a regular expression, on its way from Oniguruma's syntax to PCRE2's.
///
/// Oniguruma's bracket expressions nest and intersect. PCRE2's do not, so what one bracket expression cannot say
/// becomes lookaheads before a single character.
indirect enum CharacterSet: Sendable {
  /// What stands between brackets in PCRE2.
  case items(String)
  case complement(CharacterSet)
  case union([CharacterSet])
  case intersection([CharacterSet])

  /// PCRE2's expression for one character of the set.
  var pattern: String {
    switch self {
    // A bracket expression needs an item, and no character is both a space and none.
    case .items(""): "(?!)"
    case .items(let items): "[\(items)]"
    case .complement(.items("")): "(?s:.)"
    case .complement(.items(let items)): "[^\(items)]"
    case .complement(.complement(let set)): set.pattern
    case .complement(let set): "(?:(?!\(set.pattern))(?s:.))"
    case .union(let sets): "(?:\(sets.map(\.pattern).joined(separator: "|")))"
    case .intersection(let sets):
      "(?:\(sets.dropLast().map { "(?=\($0.pattern))" }.joined())\(sets.last?.pattern ?? "(?!)"))"
    }
  }

  /// The union of `sets`, as one bracket expression where that is possible.
  static func joining(_ sets: [CharacterSet]) -> CharacterSet {
    var items = ""
    var others: [CharacterSet] = []
    for set in sets {
      if case .items(let text) = set { items += text } else { others.append(set) }
    }
    if others.isEmpty { return .items(items) }
    if items.isEmpty, others.count == 1 { return others[0] }
    return .union((items.isEmpty ? [] : [.items(items)]) + others)
  }

  func complemented(_ isComplement: Bool) -> CharacterSet {
    isComplement ? .complement(self) : self
  }
}

/// The sets that have names, as Oniguruma defines them.
extension CharacterSet {
  static let whiteSpace = CharacterSet.items(#"\x{9}-\x{D}\x{20}\x{85}\p{Z}"#)
  static let digit = CharacterSet.items(#"\p{Nd}"#)
  static let hexadecimalDigit = CharacterSet.items("0-9A-Fa-f")
  /// `\w`, which outside brackets has the superscript digits and the fractions of Latin-1 as well.
  static func wordCharacter(isBracketed: Bool) -> CharacterSet {
    .items(#"\p{Alphabetic}\p{M}\p{Nd}\p{Pc}"# + (isBracketed ? "" : #"\x{B2}\x{B3}\x{B9}\x{BC}-\x{BE}"#))
  }

  private static let visible = CharacterSet.complement(.items(#"\x{9}-\x{D}\x{20}\x{85}\p{Z}\p{Cc}\p{Cn}\p{Cs}"#))

  /// A POSIX class, as in `[[:alpha:]]`; nil if there is none of this name.
  static func posixClass(_ name: String) -> CharacterSet? {
    switch name {
    case "alnum": .items(#"\p{Alphabetic}\p{Nd}"#)
    case "alpha": .items(#"\p{Alphabetic}"#)
    case "ascii": .items(#"\x{0}-\x{7F}"#)
    case "blank": .items(#"\x{9}\p{Zs}"#)
    case "cntrl": .items(#"\p{Cc}"#)
    case "digit": digit
    case "graph": visible
    case "lower": .items(#"\p{Lowercase}"#)
    case "print": .union([visible, .items(#"\p{Zs}"#)])
    case "punct": .items(#"\p{P}\p{S}"#)
    case "space": whiteSpace
    case "upper": .items(#"\p{Uppercase}"#)
    case "word": wordCharacter(isBracketed: true)
    case "xdigit": hexadecimalDigit
    default: nil
    }
  }

  /// The characters with a property, as in `\p{Lu}`: a general category, a binary property or a script. Case, spaces,
  /// hyphens and underscores in names do not matter. A name that PCRE2 does not know it refuses.
  ///
  /// - Parameter isBracketed: it stands within brackets.
  static func property(_ name: String, isBracketed: Bool) -> CharacterSet {
    let plain = name.lowercased().filter { $0 != " " && $0 != "-" && $0 != "_" }
    if let category = generalCategories[plain] { return .items("\\p{\(category)}") }
    if plain == "any" { return .complement(.items("")) }
    if plain == "assigned" { return .items(#"\P{Cn}"#) }
    if plain == "word" { return wordCharacter(isBracketed: isBracketed) }
    if plain != "punct", let known = posixClass(plain) { return known }
    return .items(binaryProperties.contains(plain) ? "\\p{\(plain)}" : "\\p{sc:\(plain)}")
  }

  /// PropertyValueAliases.txt, gc: PCRE2 knows the short names alone.
  private static let generalCategories: [String: String] = {
    let longNames = [
      "C": "Other", "Cc": "Control", "Cf": "Format", "Cn": "Unassigned", "Co": "Private_Use", "Cs": "Surrogate",
      "L": "Letter", "L&": "Cased_Letter", "Ll": "Lowercase_Letter", "Lm": "Modifier_Letter", "Lo": "Other_Letter",
      "Lt": "Titlecase_Letter", "Lu": "Uppercase_Letter", "M": "Mark", "Mc": "Spacing_Mark", "Me": "Enclosing_Mark",
      "Mn": "Nonspacing_Mark", "N": "Number", "Nd": "Decimal_Number", "Nl": "Letter_Number", "No": "Other_Number",
      "P": "Punctuation", "Pc": "Connector_Punctuation", "Pd": "Dash_Punctuation", "Pe": "Close_Punctuation",
      "Pf": "Final_Punctuation", "Pi": "Initial_Punctuation", "Po": "Other_Punctuation", "Ps": "Open_Punctuation",
      "S": "Symbol", "Sc": "Currency_Symbol", "Sk": "Modifier_Symbol", "Sm": "Math_Symbol", "So": "Other_Symbol",
      "Z": "Separator", "Zl": "Line_Separator", "Zp": "Paragraph_Separator", "Zs": "Space_Separator",
    ]
    var names = ["lc": "L&", "punct": "P", "combiningmark": "M"]
    for (short, long) in longNames {
      if short != "L&" { names[short.lowercased()] = short }
      names[long.lowercased().filter { $0 != "_" }] = short
    }
    return names
  }()

  /// The binary properties of Unicode that both libraries know, by their names without underscores.
  private static let binaryProperties: Set<String> = [
    "alphabetic", "asciihexdigit", "bidicontrol", "caseignorable", "cased", "changeswhencasefolded",
    "changeswhencasemapped", "changeswhenlowercased", "changeswhentitlecased", "changeswhenuppercased", "dash",
    "defaultignorablecodepoint", "deprecated", "diacritic", "emoji", "emojicomponent", "emojimodifier",
    "emojimodifierbase", "emojipresentation", "extendedpictographic", "extender", "graphemebase", "graphemeextend",
    "graphemelink", "hexdigit", "idcontinue", "idsbinaryoperator", "idstrinaryoperator", "idstart", "ideographic",
    "joincontrol", "logicalorderexception", "lowercase", "math", "noncharactercodepoint", "patternsyntax",
    "patternwhitespace", "quotationmark", "radical", "regionalindicator", "sentenceterminal", "softdotted",
    "terminalpunctuation", "unifiedideograph", "uppercase", "variationselector", "whitespace", "xidcontinue",
    "xidstart",
  ]
}
