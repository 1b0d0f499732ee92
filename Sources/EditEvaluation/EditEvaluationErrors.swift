import Tensors

extension ErrataError {
  static func factsNotAnArray(_ path: String) -> ErrataError {
    ErrataError(.damagedInput, "\(path): a facts file is a JSON array of CounterFact records")
  }

  static func noRecords(_ path: String) -> ErrataError {
    ErrataError(.damagedInput, "\(path): holds no facts")
  }

  static func wrongFactRecord(_ path: String, record: Int, found: String) -> ErrataError {
    ErrataError(.damagedInput, "\(path): record \(record): must be an object, found \(found)")
  }

  static func wrongFactField(_ path: String, record: Int, field: String, _ problem: String) -> ErrataError {
    ErrataError(.damagedInput, "\(path): record \(record), field '\(field)': \(problem)")
  }

  static func repeatedFact(_ path: String, _ first: Int, _ second: Int, _ label: String) -> ErrataError {
    ErrataError(.conflict, "\(path): records \(first) and \(second) are the same \(label); remove one of them")
  }

  static func contradictingFacts(
    _ path: String, _ first: Int, _ second: Int, _ question: String, targets: [String]
  ) -> ErrataError {
    ErrataError(
      .conflict,
      "\(path): records \(first) and \(second) contradict each other: \"\(question)\" cannot become both "
        + "\"\(targets[0])\" and \"\(targets[1])\"; remove one of them")
  }

  static func promptTooLong(_ fact: String, _ length: Int, maximum: Int) -> ErrataError {
    ErrataError(
      .general,
      "\(fact): one of its prompts, with the target \(length) tokens, is longer than the model's \(maximum) positions; "
        + "shorten it")
  }

  static func malformedSelection(_ text: String) -> ErrataError {
    ErrataError(.usage, "'\(text)' is not a selection of records: give a number, or first-last, from 0")
  }

  static func recordsOutOfRange(_ path: String, _ range: String, count: Int) -> ErrataError {
    ErrataError(.usage, "\(path): there are no records \(range): the file holds 0 to \(count - 1)")
  }
}
