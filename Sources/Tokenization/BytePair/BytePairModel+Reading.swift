import Tensors

extension BytePairModel {
  /// Reads `model`.
  ///
  /// - Parameter isByteLevel: the pre-tokenizer hands the model bytes, not characters.
  /// - Throws: an `ErrataError` for an option that is not supported, or a merge whose tokens are not in the vocabulary.
  init(_ section: Section, isByteLevel: Bool) throws {
    vocabulary = try Vocabulary(section.member("vocab"))
    try Self.refuseUnsupportedOptions(section)
    ignoresMerges = try section.member("ignore_merges").boolean(fallback: false)
    symbols = InitialSymbols(
      vocabulary, isByteLevel: isByteLevel,
      byteTokens: try Self.byteTokens(section.member("byte_fallback"), vocabulary, isByteLevel: isByteLevel),
      unknownToken: try Self.unknownToken(section.member("unk_token"), vocabulary),
      fusesUnknown: try section.member("fuse_unk").boolean(fallback: false))
    // With an unknown space, or merges of tokens that are not spelled as the text is, the reasoning of WordBoundary
    // does not hold.
    var boundary =
      isByteLevel || ignoresMerges || vocabulary.id(of: WordBoundary.space) == nil ? nil : WordBoundary()
    var unspelled = Set(symbols.byteTokens ?? [])
    if let unknown = symbols.unknownToken { unspelled.insert(unknown) }
    let list = section.member("merges")
    guard let elements = list.value.arrayValue else { throw list.wrongKind(expected: "an array") }
    var merges = MergeTable(capacity: elements.count)
    var spelling: [UInt8] = []
    for (rank, element) in elements.enumerated() {
      let merge = try Merge(element, vocabulary, &spelling, file: list.file) { "\(list.name)[\(rank)]" }
      merges.insert(merge.left, merge.right, rank: UInt32(rank), result: merge.result)
      if unspelled.contains(merge.left) || unspelled.contains(merge.right) { boundary = nil }
      if boundary != nil { spelling.withUnsafeBufferPointer { boundary!.insert($0) } }
    }
    self.merges = merges
    self.boundary = boundary
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

  /// The tokens of the 256 bytes; nil if there is no fallback to them, or none is needed because every byte has a
  /// token.
  private static func byteTokens(
    _ section: Section, _ vocabulary: Vocabulary, isByteLevel: Bool
  ) throws -> [Int32]? {
    guard try section.boolean(fallback: false) else { return nil }
    if isByteLevel {
      guard ByteAlphabet.spellings.allSatisfy({ vocabulary.id(of: $0) != nil }) else {
        throw section.unsupported(
          "true with bytes missing in the vocabulary", supported: "false, or all 256 bytes as tokens")
      }
      return nil
    }
    return try ByteFallback.spellings.map {
      if let id = vocabulary.id(of: $0) { return id }
      throw section.unsupported(
        "true without \(ByteString($0)) in the vocabulary", supported: "false, or <0x00> to <0xFF> as tokens")
    }
  }
}

/// An element of `model.merges`: "a b" or ["a", "b"].
private struct Merge {
  let left: Int32
  let right: Int32
  let result: Int32

  /// - Parameter spelling: becomes that of the token which the merge makes; for all merges, since it is made anew for
  ///   each.
  init(
    _ element: JSON, _ vocabulary: Vocabulary, _ spelling: inout [UInt8], file: String, field: () -> String
  ) throws {
    guard let (left, right) = Self.pair(element) else {
      throw ErrataError.malformedMerge(file: file, field: field())
    }
    func id(of token: ArraySlice<UInt8>) throws -> Int32 {
      if let id = token.withUnsafeBufferPointer({ vocabulary.id(of: $0) }) { return id }
      throw ErrataError.unknownToken(file: file, field: field(), token: ByteString(token))
    }
    spelling.removeAll(keepingCapacity: true)
    spelling.append(contentsOf: left)
    spelling.append(contentsOf: right)
    self.left = try id(of: left)
    self.right = try id(of: right)
    result = try id(of: spelling[...])
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
