import LinearAlgebra
import Tensors

extension SecondMoments {
  /// Writes what would have been collected over the texts of several files together: the mean of their C, weighted by
  /// their numbers of tokens.
  ///
  /// The sums are formed in binary64, in the order of the files; each C is the binary32 mean that its file holds, so
  /// the result differs from that of one run over all texts by binary32 rounding.
  ///
  /// - Parameters:
  ///   - parts: at least one, of the same model and layers, and of different texts or of different parts of one text.
  ///     All parts of a text count as that text.
  ///   - path: the file to write.
  /// - Throws: an `ErrataError` if the files do not fit together.
  public static func merge(_ parts: [SecondMoments], to path: String) throws {
    let first = parts[0]
    var tokenCount = 0
    for (index, part) in parts.enumerated() {
      guard part.layers == first.layers else { throw ErrataError.mergedLayersDiffer(first, part) }
      if let layer = part.layers.first(where: { part.origin.weights[$0] != first.origin.weights[$0] }) {
        throw ErrataError.mergedModelsDiffer(first.path, part.path, "layer \(layer)'s down-projection")
      }
      guard part.origin.tokenizer == first.origin.tokenizer else {
        throw ErrataError.mergedModelsDiffer(first.path, part.path, "the tokenizer")
      }
      guard part.origin.specialTokens == first.origin.specialTokens else {
        throw ErrataError.mergedModelsDiffer(first.path, part.path, "the special tokens around the text")
      }
      if let same = parts[..<index].first(where: { part.origin.countsWhat($0.origin) }) {
        throw ErrataError.mergedTextsEqual(same.path, part.path)
      }
      let (sum, overflow) = tokenCount.addingReportingOverflow(part.tokenCount)
      guard part.tokenCount > 0, !overflow else {
        throw ErrataError.notStatistics(part.path, "it cannot have counted \(part.tokenCount) tokens")
      }
      tokenCount = sum
    }
    var sums: [Int: PackedTriangle] = [:]
    var powers: [Int: Double] = [:]
    for layer in first.layers {
      var sum: PackedTriangle?
      for part in parts {
        let mean = try part.triangle(layer: layer)
        var total = sum.take() ?? PackedTriangle(size: mean.size)
        guard total.size == mean.size else {
          throw ErrataError.notStatistics(part.path, "layer \(layer) has \(mean.size) rows, not \(total.size)")
        }
        total.add(mean, times: Double(part.tokenCount))
        sum = total
      }
      sums[layer] = sum
      let known = parts.compactMap { part in part.outputPowers[layer].map { $0 * Double(part.tokenCount) } }
      if known.count == parts.count { powers[layer] = known.reduce(0, +) / Double(tokenCount) }
    }
    try write(
      sums, tokenCount: tokenCount, outputPowers: powers, origin: SecondMomentOrigin(merged: parts.map(\.origin)),
      to: path)
  }
}

extension SecondMomentOrigin {
  /// Whether both count some of the same text.
  fileprivate func countsWhat(_ other: SecondMomentOrigin) -> Bool {
    guard corpusDigest == other.corpusDigest else { return false }
    guard let part, let otherPart = other.part, part.count == otherPart.count,
      sequenceLength == other.sequenceLength
    else { return true }
    return part == otherPart
  }

  /// Of several, of one model.
  fileprivate init(merged origins: [SecondMomentOrigin]) {
    self = origins[0]
    guard origins.count > 1 else { return }
    if let part, origins.count == part.count, origins.allSatisfy({ $0.corpusDigest == corpusDigest }) {
      // They are different parts of it: all.
      self.part = nil
      return
    }
    part = nil
    corpus = origins.map { $0.corpus + ($0.part.map { " (part \($0))" } ?? "") }.joined(separator: ", ")
    var hasher = DigestHasher()
    for origin in origins {
      hasher.update(origin.corpusDigest.description + (origin.part.map { " \($0)" } ?? "") + "\n")
    }
    corpusDigest = hasher.finalize()
    if origins.contains(where: { $0.sequenceLength != sequenceLength }) {
      sequenceLength = Self.unknownSequenceLength
    }
  }
}
