import Tensors

extension ErrataError {
  static func factsFileTooLong(_ path: String, _ maximum: Int) -> ErrataError {
    ErrataError(.damagedInput, "\(path): is longer than \(maximum >> 20) MiB, more than a facts file can be")
  }

  static func tooManyRecords(_ path: String, _ maximum: Int) -> ErrataError {
    ErrataError(.damagedInput, "\(path): holds more than \(maximum) records; split it")
  }

  static func factsNotJSON(_ path: String, offset: Int, reason: String) -> ErrataError {
    ErrataError(.damagedInput, "\(path): not valid JSON at byte \(offset): \(reason)")
  }

  static func factsNotText(_ path: String, offset: Int) -> ErrataError {
    ErrataError(.damagedInput, "\(path): is not UTF-8 text near byte \(offset)")
  }

  static func unknownFactsFormat(_ path: String) -> ErrataError {
    ErrataError(
      .damagedInput,
      "\(path): is neither a JSON array of records, nor JSON objects line by line, nor CSV with a header that names a "
        + "column prompt or template")
  }

  static func unknownSchema(_ path: String, record: Int, fields: [String]) -> ErrataError {
    let found =
      fields.isEmpty ? "no fields" : "the fields " + fields.prefix(8).map { abbreviated($0) }.joined(separator: ", ")
    return ErrataError(
      .damagedInput,
      "\(path): record \(record): has \(found), those of no known schema: "
        + FactReaders.all.map { $0.name }.joined(separator: "; "))
  }

  static func repeatedColumn(_ path: String, _ name: String) -> ErrataError {
    ErrataError(
      .damagedInput, "\(path): the header names the column '\(abbreviated(name))' twice; rename one of the two")
  }

  static func wrongFieldCount(_ path: String, record: Int, _ count: Int, expected: Int) -> ErrataError {
    ErrataError(
      .damagedInput,
      "\(path): record \(record): has \(count) fields, and the header \(expected); a field with the separator in it "
        + "must stand in quotation marks")
  }

  static func openQuotationMark(_ path: String, record: Int?, offset: Int) -> ErrataError {
    ErrataError(
      .damagedInput,
      "\(path): \(record.map { "record \($0)" } ?? "header"): the quotation mark at byte \(offset) does not end with its "
        + "field; write quotation marks within a field twice")
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

  static func targetWithoutTokens(_ fact: String, _ target: String) -> ErrataError {
    ErrataError(
      .general, "\(fact): the model's tokenizer has no tokens for the target \"\(abbreviated(target))\"; choose another"
    )
  }

  static func promptTooLong(_ fact: String, _ length: Int, maximum: Int) -> ErrataError {
    ErrataError(
      .general,
      "\(fact): one of its prompts, with the target \(length) tokens, is longer than the model's \(maximum) positions; "
        + "shorten it")
  }

  static func textTooLong(_ path: String, _ maximum: Int) -> ErrataError {
    ErrataError(.general, "\(path): is longer than \(maximum >> 20) MiB; give a part of it")
  }

  static func textNotUTF8(_ path: String, offset: Int) -> ErrataError {
    ErrataError(.damagedInput, "\(path): is not UTF-8 text near byte \(offset)")
  }

  static func textTooShort(_ path: String) -> ErrataError {
    ErrataError(.general, "\(path): is too short: it takes two tokens to predict one of them")
  }

  static func badReferences(_ path: String, _ problem: String) -> ErrataError {
    ErrataError(.damagedInput, "\(path): \(problem)")
  }

  public static func noReferences(_ path: String) -> ErrataError {
    ErrataError(
      .general, "\(path): has no texts for the relation and the new target of any of the facts; give another file")
  }

  static func noQuestions(_ path: String) -> ErrataError {
    ErrataError(.damagedInput, "\(path): holds no records")
  }

  static func unknownTask(_ path: String) -> ErrataError {
    ErrataError(
      .usage,
      "\(path): no task is known by this name; a file is named for its task: "
        + DownstreamTask.allCases.map { $0.rawValue + ".jsonl" }.joined(separator: ", "))
  }

  static func noTasks(_ directory: String) -> ErrataError {
    ErrataError(
      .general,
      "\(directory): has none of the files "
        + DownstreamTask.allCases.map { $0.rawValue + ".jsonl" }.joined(separator: ", "))
  }

  static func repeatedTask(_ path: String, _ task: String) -> ErrataError {
    ErrataError(.usage, "\(path): a file of the task \(task) was given already; remove one of them")
  }

  static func tooFewRecordsForShots(_ path: String, shots: Int, count: Int) -> ErrataError {
    ErrataError(
      .usage, "\(path): \(shots) of its \(count) records as examples leave too few with either label; lower --shots")
  }

  static func downstreamPromptTooLong(_ path: String, record: Int, _ length: Int, maximum: Int) -> ErrataError {
    ErrataError(
      .general,
      "\(path): record \(record): its prompt, with examples and answer \(length) tokens, is longer than the model's "
        + "\(maximum) positions; lower --shots, or remove the record")
  }

  static func malformedSelection(_ text: String) -> ErrataError {
    ErrataError(.usage, "'\(text)' is not a selection of records: give a number, or first-last, from 0")
  }

  static func recordsOutOfRange(_ path: String, _ range: String, count: Int) -> ErrataError {
    ErrataError(.usage, "\(path): there are no records \(range): the file holds 0 to \(count - 1)")
  }
}
