import Tensors

/// Splits text into the pieces that the model sees one by one.
struct PreTokenizer: Sendable {
  enum Step {
    /// A pattern that matches every text completely, each match a piece.
    case pattern(SplitPattern)
    case split(Pattern, SplitBehavior, isInverted: Bool)
    case metaspace(Metaspace)
    /// A space before every piece that does not begin with one.
    case prefixSpace
    /// Every byte becomes the character that spells it, for the steps that follow.
    case byteLevel
  }

  let steps: [Step]
  /// The model sees bytes, not characters.
  let isByteLevel: Bool

  /// Splits `text`, and changes and inserts spaces where the tokenizer does.
  ///
  /// - Parameter isContinuation: nothing is put before the beginning of the input.
  /// - Returns: the ranges of the pieces, ascending, none empty.
  /// - Throws: an `ErrataError` if a regular expression backtracks without end.
  func split(_ text: inout AlignedText, isContinuation: Bool = false) throws(ErrataError) -> [Range<Int>] {
    var pieces = text.bytes.isEmpty ? [] : [text.bytes.indices]
    for step in steps {
      switch step {
      case .pattern(let pattern):
        pieces = refine(pieces, of: text) { pattern.appendMatches(in: $0, offset: $1, to: &$2) }
      case .split(let pattern, let behavior, let isInverted):
        pieces = try refine(pieces, of: text) { (bytes, offset, pieces) throws(ErrataError) in
          let matches = try pattern.matches(in: bytes)
          for piece in behavior.pieces(of: matches, end: bytes.count, isInverted: isInverted) {
            pieces.append(piece.lowerBound + offset..<piece.upperBound + offset)
          }
        }
      case .metaspace(let metaspace):
        pieces = apply(metaspace, &text, pieces, isContinuation: isContinuation)
      case .prefixSpace:
        let space = [UInt8(ascii: " ")]
        text.replace(within: &pieces) { bytes, origin in
          bytes[0] == space[0] || (isContinuation && origin == 0) ? [] : [(0..<0, space)]
        }
      case .byteLevel: text.replace(within: &pieces) { bytes, _ in ByteAlphabet.replacements(in: bytes) }
      }
    }
    return pieces
  }

  private func refine<Failure: Error>(
    _ pieces: [Range<Int>], of text: AlignedText,
    _ appendPieces: (UnsafeBufferPointer<UInt8>, Int, inout [Range<Int>]) throws(Failure) -> Void
  ) throws(Failure) -> [Range<Int>] {
    var refined: [Range<Int>] = []
    refined.reserveCapacity(text.bytes.count / 4)
    try text.bytes.withUnsafeBufferPointer { (bytes) throws(Failure) in
      for piece in pieces { try appendPieces(UnsafeBufferPointer(rebasing: bytes[piece]), piece.lowerBound, &refined) }
    }
    return refined
  }

  private func apply(
    _ metaspace: Metaspace, _ text: inout AlignedText, _ pieces: [Range<Int>], isContinuation: Bool
  ) -> [Range<Int>] {
    var pieces = pieces
    let replacement = metaspace.replacement
    text.replace(within: &pieces) { bytes, origin in
      var replacements = TextPattern.literal([UInt8(ascii: " ")]).matches(in: bytes).map { ($0, replacement) }
      let isPrefixed = bytes[0] == UInt8(ascii: " ") || bytes.starts(with: replacement)
      let isPrepending =
        switch metaspace.prependScheme {
        case .always: !(isContinuation && origin == 0)
        case .first: !isContinuation && origin == 0
        case .never: false
        }
      if isPrepending, !isPrefixed { replacements.insert((0..<0, replacement), at: 0) }
      return replacements
    }
    guard metaspace.isSplitting else { return pieces }
    return refine(pieces, of: text) { bytes, offset, pieces in
      let matches = TextPattern.literal(replacement).matches(in: bytes)
      for piece in SplitBehavior.mergedWithNext.pieces(of: matches, end: bytes.count, isInverted: false) {
        pieces.append(piece.lowerBound + offset..<piece.upperBound + offset)
      }
    }
  }
}

extension AlignedText {
  /// Replaces within each piece what `changes` says of its bytes, and moves the pieces along. `changes` is also given
  /// where in the input the piece begins, and names ranges within the piece.
  fileprivate mutating func replace(
    within pieces: inout [Range<Int>],
    _ changes: (UnsafeBufferPointer<UInt8>, Int) -> [(range: Range<Int>, bytes: [UInt8])]
  ) {
    var replacements: [(range: Range<Int>, bytes: [UInt8])] = []
    var moved = 0
    bytes.withUnsafeBufferPointer { bytes in
      for index in pieces.indices {
        let start = pieces[index].lowerBound
        var growth = 0
        let origin = source(of: start..<start).lowerBound
        for (range, bytes) in changes(UnsafeBufferPointer(rebasing: bytes[pieces[index]]), origin) {
          replacements.append((range.lowerBound + start..<range.upperBound + start, bytes))
          growth += bytes.count - range.count
        }
        pieces[index] = start + moved..<pieces[index].upperBound + moved + growth
        moved += growth
      }
    }
    replace(replacements)
  }
}
