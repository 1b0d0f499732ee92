import Tensors

/// A tokenizer as a Hugging Face `tokenizer.json` describes it.
///
/// Text goes through the stages of the `tokenizers` crate (https://github.com/huggingface/tokenizers) and gives the
/// same ids: added tokens are cut out, the rest is normalized, split into pieces and encoded by the model; a template
/// can put special tokens around the result.
///
/// ```swift
/// let tokenizer = try Tokenizer(contentsOf: "SmolLM2/tokenizer.json")
/// let ids = tokenizer.encode("The capital of France is")
/// print(tokenizer.decode(ids))
/// ```
///
/// Supported are byte-pair encoding, of bytes (GPT-2, GPT-NeoX, Llama 3, Qwen2, Mistral's Tekken, DeepSeek and models
/// like them) and of characters in SentencePiece's way (Llama 2, Gemma), and unigram models (T5, ALBERT, XLM-R,
/// Helium). A file that asks for anything else is refused. Truncation and padding in the file are not applied:
/// `transformers` sets both on every call, whatever the file says. Members that are not known are ignored, as
/// `tokenizers` ignores them.
///
/// Ids differ from those of `tokenizers` 0.23 only for characters that are newer than the Unicode tables of one side
/// (its own, Swift's, or PCRE2's for regular expressions), and where its normalization is wrong (it composes U+10161
/// and U+0307). An added token that is not in normal form decodes to what the file says; there
/// it decodes to the normal form.
public final class Tokenizer: Sendable {
  /// SHA-256 of the bytes of the file.
  public let digest: Digest

  private let vocabulary: Vocabulary
  private let addedTokens: AddedTokens
  private let normalizer: Normalizer
  private let preTokenizer: PreTokenizer
  let model: TokenModel
  private let postProcessor: PostProcessor
  private let decoder: TokenDecoder

  /// Reads the `tokenizer.json` at `path`.
  ///
  /// - Throws: an `ErrataError` that names the file and the field, if the file cannot be read, is damaged, or needs
  ///   something that is not supported.
  public convenience init(contentsOf path: String) throws {
    let mapped = try MappedFile(path: path)
    defer { withExtendedLifetime(mapped) {} }
    try self.init(mapped.bytes, file: path)
  }

  /// - Parameter file: how messages name the file.
  init(_ bytes: UnsafeRawBufferPointer, file: String) throws {
    let json: JSON
    do {
      json = try JSON.parse(bytes)
    } catch {
      throw ErrataError.recognized(file, bytes, wanted: "a JSON file")
        ?? ErrataError.notJSON(file: file, offset: error.offset, reason: error.reason)
    }
    let root = Section(file: file, name: "", value: json)
    preTokenizer = try PreTokenizer(root.member("pre_tokenizer"))
    model = try TokenModel(root.member("model"), isByteLevel: preTokenizer.isByteLevel)
    normalizer = try Normalizer(root.member("normalizer"))
    postProcessor = try PostProcessor(root.member("post_processor"))
    decoder = try TokenDecoder(root.member("decoder"))
    var vocabulary = model.vocabulary
    addedTokens = try AddedTokens(root.member("added_tokens"), normalizer: normalizer, vocabulary: &vocabulary)
    self.vocabulary = vocabulary
    digest = Digest(of: bytes)
  }
}

extension Tokenizer {
  /// The ids of the tokens of `text`.
  ///
  /// - Parameters:
  ///   - addingSpecialTokens: also apply the file's template, which for some models adds a token for the beginning of
  ///     the text.
  ///   - isContinuation: the text continues another, so nothing is put before it. (Tokenizers in SentencePiece's way
  ///     put a space before a text.)
  /// - Throws: an `ErrataError` if a regular expression of the file backtracks without end on this text.
  public func encode(
    _ text: String, addingSpecialTokens: Bool = false, isContinuation: Bool = false
  ) throws(ErrataError) -> [Int32] {
    try encodeWithOffsets(text, addingSpecialTokens: addingSpecialTokens, isContinuation: isContinuation).ids
  }

  /// The tokens of `text`, each with the range of UTF-8 bytes that it stands for. For the parameters and the error see
  /// `encode`.
  public func encodeWithOffsets(
    _ text: String, addingSpecialTokens: Bool = false, isContinuation: Bool = false
  ) throws(ErrataError) -> Encoding {
    var encoding = Encoding()
    if addingSpecialTokens {
      for id in postProcessor.leadingTokens { encoding.append(id, 0..<0) }
    }
    try Array(text.utf8).withUnsafeBufferPointer { (bytes) throws(ErrataError) in
      try encode(bytes, isContinuation: isContinuation, into: &encoding)
    }
    if addingSpecialTokens {
      let end = text.utf8.count
      for id in postProcessor.trailingTokens { encoding.append(id, end..<end) }
    }
    return encoding
  }

  private func encode(
    _ input: UnsafeBufferPointer<UInt8>, isContinuation: Bool, into encoding: inout Encoding
  ) throws(ErrataError) {
    var cache = PieceCache()
    for part in addedTokens.inputMatcher.split(input) {
      switch part {
      case .token(let token, let range): encoding.append(token.id, range)
      case .text(let range):
        let isContinuation = isContinuation && range.lowerBound == 0
        var text = AlignedText(input[range], origin: range.lowerBound)
        try normalizer.apply(to: &text, isContinuation: isContinuation)
        try encodeNormalized(text, isContinuation: isContinuation, &cache, into: &encoding)
      }
    }
  }

  private func encodeNormalized(
    _ text: AlignedText, isContinuation: Bool, _ cache: inout PieceCache, into encoding: inout Encoding
  ) throws(ErrataError) {
    if addedTokens.normalizedMatcher.isEmpty {
      return try encodePlain(text, isContinuation: isContinuation, &cache, into: &encoding)
    }
    for part in text.bytes.withUnsafeBufferPointer({ addedTokens.normalizedMatcher.split($0) }) {
      switch part {
      case .token(let token, let range): encoding.append(token.id, text.source(of: range))
      case .text(let range):
        let isContinuation = isContinuation && range.lowerBound == 0
        try encodePlain(text.part(range), isContinuation: isContinuation, &cache, into: &encoding)
      }
    }
  }

  /// Encodes text without added tokens.
  private func encodePlain(
    _ text: AlignedText, isContinuation: Bool, _ cache: inout PieceCache, into encoding: inout Encoding
  ) throws(ErrataError) {
    var text = text
    let pieces = try preTokenizer.split(&text, isContinuation: isContinuation)
    text.bytes.withUnsafeBufferPointer { bytes in
      for piece in pieces {
        model.forEachPart(of: UnsafeBufferPointer(rebasing: bytes[piece])) { part in
          let start = piece.lowerBound + part.lowerBound
          let bytes = UnsafeBufferPointer(rebasing: bytes[start..<piece.lowerBound + part.upperBound])
          cache.withTokens(of: bytes, by: model) { tokens in
            for token in tokens {
              encoding.append(token.id, text.source(of: start + Int(token.start)..<start + Int(token.end)))
            }
          }
        }
      }
    }
  }
}

extension Tokenizer {
  /// The text of `ids`; bytes that are not UTF-8 (a character of which only some tokens are there) become U+FFFD.
  ///
  /// Ids that the vocabulary does not have are left out, as in `tokenizers`.
  ///
  /// - Parameter isContinuation: the ids continue a text, so that the space before them is part of the result. (The
  ///   decoders of tokenizers that put a space before a text take one away.)
  public func decode(
    _ ids: [Int32], skippingSpecialTokens: Bool = false, isContinuation: Bool = false
  ) -> String {
    String(
      decoding: decodeBytes(ids, skippingSpecialTokens: skippingSpecialTokens, isContinuation: isContinuation),
      as: UTF8.self)
  }

  /// The bytes of the text of `ids`. For the parameters see `decode`.
  ///
  /// Byte-level tokens give their bytes, whether UTF-8 or not; byte tokens of the other tokenizers that together are
  /// not UTF-8 each give U+FFFD, as in `tokenizers`.
  public func decodeBytes(
    _ ids: [Int32], skippingSpecialTokens: Bool = false, isContinuation: Bool = false
  ) -> [UInt8] {
    let tokens = ids.compactMap { id in
      skippingSpecialTokens && addedTokens.isSpecial(id) ? nil : vocabulary.token(of: id).map { Array($0) }
    }
    return decoder.decode(tokens, isContinuation: isContinuation)
  }
}

extension Tokenizer {
  /// How many ids there are: one more than the largest. A model has at least as many rows in its embedding.
  public var vocabularySize: Int { vocabulary.idLimit }

  /// The token as the file spells it (byte-level files write the space of " the" as "Ġ"); nil if the id is not used.
  /// For the text of a token see `decodeBytes(_:skippingSpecialTokens:)`.
  public func token(of id: Int32) -> ByteString? {
    vocabulary.token(of: id).map { ByteString($0) }
  }

  /// The id of a token, given as the file spells it; nil if there is no such token.
  public func id(of token: ByteString) -> Int32? {
    vocabulary.id(of: token.bytes)
  }

  /// The token that stands for what the vocabulary has no tokens for; nil if there is none.
  public var unknownToken: Int32? { model.unknownToken }

  /// What `addingSpecialTokens` puts before a text: the token for its beginning, for models that have one.
  public var leadingTokens: [Int32] { postProcessor.leadingTokens }

  /// What `addingSpecialTokens` puts after a text.
  public var trailingTokens: [Int32] { postProcessor.trailingTokens }
}

extension Tokenizer {
  /// The ids of the special tokens: they end texts and turns, and are no part of either.
  public var specialTokens: Set<Int32> { addedTokens.specialTokens }
}
