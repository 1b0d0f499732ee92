/// The special tokens that stand before and after a single text.
struct PostProcessor: Sendable {
  private(set) var leadingTokens: [Int32] = []
  private(set) var trailingTokens: [Int32] = []

  /// Reads `post_processor`. ByteLevel there only trims offsets, which Errata does not, so it adds nothing.
  ///
  /// - Throws: an `ErrataError` for what is not supported.
  init(_ section: Section) throws {
    for component in try section.components("processors") {
      switch try component.type() {
      case "ByteLevel": continue
      case "TemplateProcessing": try apply(component)
      case "BertProcessing", "RobertaProcessing":
        leadingTokens.insert(try Self.token(component.member("cls")), at: 0)
        trailingTokens.append(try Self.token(component.member("sep")))
      case let type:
        throw component.unsupported(
          type, supported: "BertProcessing, ByteLevel, RobertaProcessing, TemplateProcessing, Sequence, null")
      }
    }
  }

  /// The id of a token that is given as [token, id].
  private static func token(_ section: Section) throws -> Int32 {
    let parts = try section.elements()
    guard parts.count == 2 else { throw section.wrongKind(expected: "a pair of a token and its id") }
    return try parts[1].tokenID()
  }

  /// Puts the tokens of a template around those that are there already.
  private mutating func apply(_ component: Section) throws {
    let template = component.member("single")
    var leading: [Int32] = []
    var trailing: [Int32] = []
    var textCount = 0
    for piece in try template.elements() {
      if piece.value["Sequence"] != nil {
        textCount += 1
        continue
      }
      let name = try piece.member("SpecialToken").member("id").string()
      let ids = component.member("special_tokens").member(name).member("ids")
      guard ids.value.arrayValue != nil else { throw ids.wrongKind(expected: "an array") }
      for id in try ids.elements() {
        if textCount == 0 { leading.append(try id.tokenID()) } else { trailing.append(try id.tokenID()) }
      }
    }
    guard textCount == 1 else {
      throw template.unsupported("a template with the text \(textCount) times", supported: "once")
    }
    leadingTokens = leading + leadingTokens
    trailingTokens += trailing
  }
}
