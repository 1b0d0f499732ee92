import Tensors

/// What is wrong with second moments, in words.
extension ErrataError {
  package static func statisticsWithoutLayer(_ path: String, _ layer: Int, has: [Int]) -> ErrataError {
    ErrataError(
      .general, path,
      "has no second moments of layer \(layer), only of \(has.map(String.init).joined(separator: ", "))",
      remedy: .collect(layer: layer))
  }

  package static func statisticsWithoutOutputPower(_ path: String, layer: Int) -> ErrataError {
    ErrataError(
      .general, path, "does not say what the text makes of layer \(layer)'s weight, which a budget is a share of",
      remedy: .collectAgain)
  }

  package static func statisticsOfAnotherModel(_ path: String, layer: Int, expected: Digest, found: Digest)
    -> ErrataError
  {
    ErrataError(
      .baseMismatch, path,
      "belongs to another model: layer \(layer)'s down-projection was \(expected.abbreviated) when it was "
        + "collected and is \(found.abbreviated) here",
      remedy: .collectAgain)
  }

  package static func statisticsOfAnotherTokenizer(_ path: String) -> ErrataError {
    ErrataError(.baseMismatch, path, "was collected with another tokenizer", remedy: .collectAgain)
  }

  package static func notStatistics(_ path: String, _ reason: String) -> ErrataError {
    ErrataError(.damagedInput, path, "not a file of second moments", cause: reason)
  }

  package static func notPositiveDefinite(layer: Int, tokens: Int, keyLength: Int) -> ErrataError {
    ErrataError(
      .general,
      "the second moments of layer \(layer) are singular: \(tokens) tokens were counted, and keys have "
        + "\(keyLength) values",
      remedy: .countMore(tokens: 10 * keyLength))
  }

  static func damagedFactors(_ path: String, _ reason: String) -> ErrataError {
    ErrataError(.damagedInput, path, "damaged", cause: reason, remedy: .factorAgain)
  }

  static func mergedLayersDiffer(_ first: SecondMoments, _ second: SecondMoments) -> ErrataError {
    func list(_ file: SecondMoments) -> String { file.layers.map(String.init).joined(separator: ", ") }
    return ErrataError(
      .baseMismatch, second.path,
      "has layers \(list(second)), and \(first.path) has \(list(first)); only files of the same layers merge")
  }

  static func mergedModelsDiffer(_ first: String, _ second: String, _ part: String) -> ErrataError {
    ErrataError(.baseMismatch, second, "belongs to another model than \(first): \(part) is not the same")
  }

  static func mergedTextsEqual(_ first: String, _ second: String) -> ErrataError {
    ErrataError(.general, [first, second], "were collected from the same text, which would count twice")
  }

  static func partialOfAnotherRun(_ path: String, _ field: String) -> ErrataError {
    ErrataError(
      .general, path, "is the rest of an interrupted run with another \(field)", remedy: "delete it to start anew")
  }

  package static func partialDamaged(_ path: String) -> ErrataError {
    ErrataError(
      .damagedInput, path, "is the rest of an interrupted run, and damaged", remedy: "delete it to start anew")
  }
}
