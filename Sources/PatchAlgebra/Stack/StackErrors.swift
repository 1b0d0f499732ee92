import Tensors
import WeightPatch

/// What keeps patches from being stacked, in words.
extension ErrataError {
  static func basesDiffer(
    _ first: String, _ second: String, _ tensors: [(name: ByteString, expected: Digest, found: Digest)]
  ) -> ErrataError {
    let list = tensors.map {
      $0.expected == $0.found
        ? "\($0.name): only one stores it transposed"
        : "\($0.name): \($0.expected.abbreviated) and \($0.found.abbreviated)"
    }
    return ErrataError(
      .baseMismatch, [first, second], "were made for different bases: \(boundedList(list, separator: "; "))")
  }

  /// - Parameter parts: what of them differs.
  static func modelsDiffer(_ first: String, _ second: String, _ parts: [String]) -> ErrataError {
    ErrataError(
      .baseMismatch, [first, second], "were made for different models: \(parts.joined(separator: ", "))",
      remedy: "stack patches of one model")
  }

  static func sameBatchOtherFacts(_ first: String, _ firstBatch: Int, _ second: String, _ secondBatch: Int)
    -> ErrataError
  {
    ErrataError(
      .conflict, [first, second],
      "carry the same batch (\(firstBatch) and \(secondBatch)), but do not say the same facts of it: at most "
        + "one of them is right")
  }

  static func contradictions(_ pairs: [[(fact: Manifest.Fact, path: String)]]) -> ErrataError {
    func name(_ fact: (fact: Manifest.Fact, path: String)) -> String {
      "\(fact.fact.identifier) (\(fact.fact.subject): \(fact.fact.targetNew), \(fact.path))"
    }
    let shown = boundedList(pairs.map { "\(name($0[0])) and \(name($0[1]))" }, separator: "; ", most: 3)
    return ErrataError(.conflict, "these facts contradict each other: \(shown)", remedy: .prefer)
  }

  static func preferenceMeansNothing(_ text: String) -> ErrataError {
    ErrataError(
      .usage,
      "the preference \(text)",
      "is neither 'first' nor 'last', nor begins the ID of a fact in a contradiction or of "
        + "its patch (four digits at least)")
  }

  static var preferencesExclude: ErrataError {
    ErrataError(.usage, "to prefer the first and to prefer the last exclude each other")
  }

  static func slackNotAgreed(_ lambdas: [Double]) -> ErrataError {
    let list = boundedList(lambdas.map { "\($0)" })
    return ErrataError(.usage, "the batches were solved with different lambda (\(list))", remedy: .giveSlack)
  }

  static func keysMissing(_ first: String, _ second: String) -> ErrataError {
    let (subjects, verb) = first == second ? ([first], "carries") : ([first, second], "carry")
    return ErrataError(
      .general, subjects, "\(verb) no keys, which solving all facts together takes", remedy: .giveStatistics)
  }

  static func keysDoNotFit(_ source: String, _ batch: Int, _ tensor: ByteString, statistics: String?) -> ErrataError {
    guard let statistics else {
      return ErrataError(
        .damagedInput, source,
        "the keys of batch \(batch) are not those that its factors of \(tensor) were solved for")
    }
    return ErrataError(
      .baseMismatch, statistics,
      "are not the second moments that batch \(batch) of \(source) was solved with (\(tensor))",
      remedy: .giveTheirStatistics)
  }

  static func statisticsWithoutTensor(_ statistics: String, _ source: String, _ tensor: ByteString) -> ErrataError {
    ErrataError(
      .baseMismatch, statistics, "has no second moments of \(tensor) as it is in the base of \(source)",
      remedy: .collect(layer: nil))
  }

  static func secondMomentsDiffer(_ first: String, _ second: String) -> ErrataError {
    ErrataError(
      .conflict, [first, second],
      "were solved with different second moments, so that their facts have no common system", remedy: .stackUnresolved)
  }

  static func stackedBatchHolds(_ source: String, _ batch: Int) -> ErrataError {
    ErrataError(
      .general, source,
      "batch \(batch) holds keys that are not in the stack, or holds some exactly, and its directions are made for "
        + "them",
      remedy: .stackUnresolvedOrEdit)
  }

  static func stackedBatchIsHeld(
    _ source: String, _ batch: Int, by holder: String, _ holderBatch: Int
  ) -> ErrataError {
    ErrataError(
      .general, source,
      "batch \(holderBatch) of \(holder) holds the keys of batch \(batch) and was solved with it in place: a fact of "
        + "it can go only if both are solved together", remedy: "solve them together, or edit the facts of both anew")
  }

  static func stackedBatchHasSlacks(_ source: String, _ batch: Int) -> ErrataError {
    ErrataError(
      .general, source, "batch \(batch) has slacks of its own for single terms or tensors",
      remedy: .giveOneSlack)
  }

  static func metricWithoutKeys(_ source: String, _ batch: Int) -> ErrataError {
    ErrataError(
      .general, source,
      "batch \(batch) was not solved in the metric of second moments and does not carry its keys",
      remedy: .stackUnresolvedOnly)
  }

  static func metricsDiffer(_ first: String, _ second: String) -> ErrataError {
    ErrataError(
      .general, [first, second], "were solved in different metrics, so that their facts have no common system",
      remedy: .stackUnresolvedOnly)
  }

  static func publishedROME(_ source: String, _ batch: Int) -> ErrataError {
    ErrataError(
      .general, source,
      "batch \(batch) divides by the bare prompt's key (published ROME), which has no place in a common "
        + "system",
      remedy: .stackUnresolvedPublishedROME)
  }

  static func dependentStackedFacts(_ facts: [Manifest.Fact], lambda: Double) -> ErrataError {
    ErrataError(
      .conflict,
      "these facts have keys that depend linearly on those of facts before them: "
        + "\(facts.map { "\($0.label) (\($0.identifier))" }.joined(separator: "; ")); with lambda \(lambda) "
        + "there is no solution",
      remedy: .largerLambdaOrDrop)
  }
}
