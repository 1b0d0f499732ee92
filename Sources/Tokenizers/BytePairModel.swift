import Tensors

/// Byte-level byte-pair encoding: a piece begins as its bytes, and neighbours are merged in the order of the ranks.
struct BytePairModel: Sendable {
  let vocabulary: Vocabulary
  private let merges: MergeTable
  /// The token of each byte value; nil if the vocabulary has none.
  private let byteTokens: [Int32?]
  private let unknownToken: Int32?
  /// Neighbouring unknown bytes become one unknown token.
  private let fusesUnknown: Bool
  /// A piece that is a token as a whole is that token, even if merging would not find it.
  private let ignoresMerges: Bool

  /// Appends the tokens of a piece. A byte without a token becomes the unknown token, or nothing if there is none.
  func encode(_ piece: UnsafeBufferPointer<UInt8>, into tokens: inout [PieceToken]) {
    if ignoresMerges, let id = vocabulary.id(of: ByteAlphabet.spelling(of: piece)) {
      tokens.append(PieceToken(id: id, start: 0, end: Int32(piece.count)))
      return
    }
    var symbols = initialSymbols(of: piece)
    merges.apply(to: &symbols)
    tokens.append(contentsOf: symbols)
  }

  private func initialSymbols(of piece: UnsafeBufferPointer<UInt8>) -> [PieceToken] {
    var symbols: [PieceToken] = []
    symbols.reserveCapacity(piece.count)
    var previousIsUnknown = false
    for (index, byte) in piece.enumerated() {
      let known = byteTokens[Int(byte)]
      guard let id = known ?? unknownToken else { continue }
      if known == nil, previousIsUnknown, fusesUnknown {
        symbols[symbols.count - 1].end = Int32(index + 1)
      } else {
        symbols.append(PieceToken(id: id, start: Int32(index), end: Int32(index + 1)))
      }
      previousIsUnknown = known == nil
    }
    return symbols
  }
}

extension BytePairModel {
  /// Reads `model`.
  ///
  /// - Throws: an `ErrataError` for another kind of model, an option that is not supported, or a merge whose tokens are
  ///   not in the vocabulary.
  init(_ section: Section) throws {
    let type = section.member("type")
    // Old files do not name the type; only BPE has merges.
    guard try type.value.isNull ? !section.member("merges").value.isNull : type.string() == "BPE" else {
      throw type.unsupported(type.value.isNull ? "a model without merges" : try type.string(), supported: "BPE")
    }
    vocabulary = try Vocabulary(section.member("vocab"))
    try Self.refuseUnsupportedOptions(section)
    unknownToken = try Self.unknownToken(section.member("unk_token"), vocabulary)
    fusesUnknown = try section.member("fuse_unk").boolean(fallback: false)
    ignoresMerges = try section.member("ignore_merges").boolean(fallback: false)
    byteTokens = ByteAlphabet.spellings.map { [vocabulary] in vocabulary.id(of: $0) }
    if try section.member("byte_fallback").boolean(fallback: false), byteTokens.contains(nil) {
      throw section.member("byte_fallback").unsupported(
        "true with bytes missing in the vocabulary", supported: "false, or all 256 bytes as tokens")
    }
    merges = try MergeTable(section.member("merges"), vocabulary)
  }

  private static func refuseUnsupportedOptions(_ section: Section) throws {
    for key in ["continuing_subword_prefix", "end_of_word_suffix"] {
      let option = section.member(key)
      if option.value.isNull { continue }
      guard try option.string().isEmpty else {
        throw option.unsupported(quoted(try option.bytes()), supported: "null or an empty string")
      }
    }
    let dropout = section.member("dropout")
    guard dropout.value.isNull || dropout.value.doubleValue == 0 else {
      throw dropout.unsupported("random merging", supported: "null or 0")
    }
  }

  private static func unknownToken(_ section: Section, _ vocabulary: Vocabulary) throws -> Int32? {
    if section.value.isNull { return nil }
    let token = try section.bytes()
    guard let id = vocabulary.id(of: token.bytes) else {
      throw ErrataError.unknownToken(file: section.file, field: section.name, token: token)
    }
    return id
  }
}

extension MergeTable {
  /// Reads `model.merges`: each as "a b" or ["a", "b"].
  fileprivate init(_ section: Section, _ vocabulary: Vocabulary) throws {
    guard let elements = section.value.arrayValue else { throw section.wrongKind(expected: "an array") }
    self.init(capacity: elements.count)
    for (rank, element) in elements.enumerated() {
      func field() -> String { "\(section.name)[\(rank)]" }
      guard let (left, right) = Self.pair(element) else {
        throw ErrataError.malformedMerge(file: section.file, field: field())
      }
      func id(of token: ArraySlice<UInt8>) throws -> Int32 {
        if let id = token.withUnsafeBufferPointer({ vocabulary.id(of: $0) }) { return id }
        throw ErrataError.unknownToken(file: section.file, field: field(), token: ByteString(token))
      }
      insert(try id(of: left), try id(of: right), rank: UInt32(rank), result: try id(of: left + right))
    }
  }

  private static func pair(_ element: JSON) -> (left: ArraySlice<UInt8>, right: ArraySlice<UInt8>)? {
    switch element {
    case .string(let text):
      let space = UInt8(ascii: " ")
      guard let middle = text.bytes.firstIndex(of: space), middle == text.bytes.lastIndex(of: space) else { return nil }
      return (text.bytes[..<middle], text.bytes[(middle + 1)...])
    case .array(let parts):
      guard parts.count == 2, let left = parts[0].bytesValue, let right = parts[1].bytesValue else { return nil }
      return (left.bytes[...], right.bytes[...])
    default: return nil
    }
  }
}
