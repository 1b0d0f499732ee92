import Tensors

/// Turns pieces of text into tokens: the `model` of a file.
enum TokenModel: Sendable {
  case bytePair(BytePairModel)
  case unigram(UnigramModel)

  /// Reads `model`.
  ///
  /// - Parameter isByteLevel: the pre-tokenizer hands the model bytes, not characters.
  /// - Throws: an `ErrataError` for another kind of model, or if it is damaged.
  init(_ section: Section, isByteLevel: Bool) throws {
    let type = section.member("type")
    // Old files do not name the type. Only BPE has merges, and only Unigram has a list of tokens with scores.
    let isList = section.member("vocab").value.arrayValue != nil
    switch try type.value.isNull ? (isList ? "Unigram" : "BPE") : type.string() {
    case "BPE":
      guard !type.value.isNull || !section.member("merges").value.isNull else {
        throw type.unsupported("a model without merges", supported: Self.supported)
      }
      self = .bytePair(try BytePairModel(section, isByteLevel: isByteLevel))
    case "Unigram":
      guard !isByteLevel else { throw type.unsupported("Unigram after ByteLevel", supported: "Unigram of characters") }
      self = .unigram(try UnigramModel(section))
    case let other: throw type.unsupported(other, supported: Self.supported)
    }
  }

  private static let supported = "BPE, Unigram"

  var vocabulary: Vocabulary {
    switch self {
    case .bytePair(let model): model.vocabulary
    case .unigram(let model): model.vocabulary
    }
  }

  /// The token that stands for what the vocabulary has no tokens for; nil if there is none.
  var unknownToken: Int32? {
    switch self {
    case .bytePair(let model): model.symbols.unknownToken
    case .unigram(let model): model.unknownToken
    }
  }

  /// Appends the tokens of a piece.
  func encode(_ piece: UnsafeBufferPointer<UInt8>, into tokens: inout [PieceToken]) {
    switch self {
    case .bytePair(let model): model.encode(piece, into: &tokens)
    case .unigram(let model): model.encode(piece, into: &tokens)
    }
  }

  /// Calls `body` with parts of `piece`, from left to right, whose tokens together are those of the piece.
  func forEachPart(
    of piece: UnsafeBufferPointer<UInt8>, _ body: (Range<Int>) -> Void
  ) {
    switch self {
    case .bytePair(let model): model.forEachPart(of: piece, body)
    case .unigram: body(piece.indices)
    }
  }
}
