import Tensors

/// A tokenizer as a Hugging Face `tokenizer.json` describes it.
///
/// Text goes through the stages of the `tokenizers` crate (https://github.com/huggingface/tokenizers) and gives the same
/// ids: added tokens are cut out, the rest is normalized, split into pieces and encoded by the model; a template can put
/// special tokens around the result.
///
/// ```swift
/// let tokenizer = try Tokenizer(contentsOf: "SmolLM2/tokenizer.json")
/// let ids = tokenizer.encode("The capital of France is")
/// print(tokenizer.decode(ids))
/// ```
///
/// Supported is byte-level byte-pair encoding: GPT-2, SmolLM2, Llama 3, Qwen2 and models like them. A file that asks for
/// anything else is refused. Truncation and padding in the file are not applied: `transformers` sets both on every call,
/// whatever the file says. Members that are not known are ignored, as `tokenizers` ignores them.
///
/// Ids differ from those of `tokenizers` 0.23 only where its Unicode tables are older than Swift's or its normalization is
/// wrong (it composes U+10161 and U+0307). An added token that is not in normal form decodes to what the file says; there
/// it decodes to the normal form.
public final class Tokenizer: Sendable {
  /// SHA-256 of the bytes of the file.
  public let digest: Digest

  private let vocabulary: Vocabulary
  private let addedTokens: AddedTokens
  private let normalizer: Normalizer
  private let preTokenizer: PreTokenizer
  private let model: BytePairModel
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
      throw ErrataError.notJSON(file: file, offset: error.offset, reason: error.reason)
    }
    let root = Section(file: file, name: "", value: json)
    model = try BytePairModel(root.member("model"))
    normalizer = try Normalizer(root.member("normalizer"))
    preTokenizer = try PreTokenizer(root.member("pre_tokenizer"))
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
  /// - Parameter addingSpecialTokens: also apply the file's template, which for some models adds a token for the
  ///   beginning of the text.
  public func encode(_ text: String, addingSpecialTokens: Bool = false) -> [Int32] {
    encodeWithOffsets(text, addingSpecialTokens: addingSpecialTokens).ids
  }

  /// The tokens of `text`, each with the range of UTF-8 bytes that it stands for.
  public func encodeWithOffsets(_ text: String, addingSpecialTokens: Bool = false) -> Encoding {
    var encoding = Encoding()
    if addingSpecialTokens {
      for id in postProcessor.leadingTokens { encoding.append(id, 0..<0) }
    }
    var text = text
    text.withUTF8 { encode($0, into: &encoding) }
    if addingSpecialTokens {
      let end = text.utf8.count
      for id in postProcessor.trailingTokens { encoding.append(id, end..<end) }
    }
    return encoding
  }

  private func encode(_ input: UnsafeBufferPointer<UInt8>, into encoding: inout Encoding) {
    var cache = PieceCache()
    for part in addedTokens.inputMatcher.split(input) {
      switch part {
      case .token(let token, let range): encoding.append(token.id, range)
      case .text(let range):
        var text = AlignedText(input[range], origin: range.lowerBound)
        normalizer.apply(to: &text)
        encodeNormalized(text, &cache, into: &encoding)
      }
    }
  }

  private func encodeNormalized(_ text: AlignedText, _ cache: inout PieceCache, into encoding: inout Encoding) {
    if addedTokens.normalizedMatcher.isEmpty { return encodePlain(text, &cache, into: &encoding) }
    for part in text.bytes.withUnsafeBufferPointer({ addedTokens.normalizedMatcher.split($0) }) {
      switch part {
      case .token(let token, let range): encoding.append(token.id, text.source(of: range))
      case .text(let range): encodePlain(text.part(range), &cache, into: &encoding)
      }
    }
  }

  /// Encodes text without added tokens.
  private func encodePlain(_ text: AlignedText, _ cache: inout PieceCache, into encoding: inout Encoding) {
    var text = text
    let ends = preTokenizer.split(&text)
    text.bytes.withUnsafeBufferPointer { bytes in
      var start = 0
      for end in ends {
        let piece = UnsafeBufferPointer(rebasing: bytes[start..<end])
        cache.withTokens(of: piece, by: model) { tokens in
          for token in tokens {
            encoding.append(token.id, text.source(of: start + Int(token.start)..<start + Int(token.end)))
          }
        }
        start = end
      }
    }
  }
}

extension Tokenizer {
  /// The text of `ids`; bytes that are not UTF-8 (a character of which only some tokens are there) become U+FFFD.
  ///
  /// Ids that the vocabulary does not have are left out, as in `tokenizers`.
  public func decode(_ ids: [Int32], skippingSpecialTokens: Bool = false) -> String {
    String(decoding: decodeBytes(ids, skippingSpecialTokens: skippingSpecialTokens), as: UTF8.self)
  }

  /// The bytes of the text of `ids`.
  public func decodeBytes(_ ids: [Int32], skippingSpecialTokens: Bool = false) -> [UInt8] {
    var bytes: [UInt8] = []
    for id in ids where !(skippingSpecialTokens && addedTokens.isSpecial(id)) {
      if let token = vocabulary.token(of: id) { decoder.append(token, to: &bytes) }
    }
    return bytes
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

  /// What `addingSpecialTokens` puts before a text: the token for its beginning, for models that have one.
  public var leadingTokens: [Int32] { postProcessor.leadingTokens }

  /// What `addingSpecialTokens` puts after a text.
  public var trailingTokens: [Int32] { postProcessor.trailingTokens }
}

extension Tokenizer {
  /// The ids of the special tokens: they end texts and turns, and are no part of either.
  public var specialTokens: Set<Int32> { addedTokens.specialTokens }
}
