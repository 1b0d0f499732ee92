import Tensors

/// What is wrong with second moments, in words.
extension ErrataError {
  package static func statisticsWithoutLayer(_ path: String, _ layer: Int, has: [Int]) -> ErrataError {
    ErrataError(
      .general,
      "\(path): has no second moments of layer \(layer), only of \(has.map(String.init).joined(separator: ", ")); "
        + "collect them with 'errata stats --layers \(layer)'")
  }

  package static func statisticsOfAnotherModel(_ path: String, layer: Int, expected: Digest, found: Digest)
    -> ErrataError
  {
    ErrataError(
      .baseMismatch,
      "\(path): belongs to another model: layer \(layer)'s down-projection was \(expected.abbreviated) when it was "
        + "collected and is \(found.abbreviated) here; collect it again with 'errata stats'")
  }

  package static func statisticsOfAnotherTokenizer(_ path: String) -> ErrataError {
    ErrataError(
      .baseMismatch, "\(path): was collected with another tokenizer; collect it again with 'errata stats'")
  }

  package static func notStatistics(_ path: String, _ reason: String) -> ErrataError {
    ErrataError(.damagedInput, "\(path): not a second-moment file of 'errata stats': \(reason)")
  }
}
