import Tensors

/// What facts files say when they cannot be used.
extension ErrataError {
  static func factsFileTooLong(_ path: String, _ maximum: Int) -> ErrataError {
    ErrataError(.damagedInput, path, "is longer than \(maximum >> 20) MiB, more than a facts file can be")
  }

  static func tooManyRecords(_ path: String, _ maximum: Int) -> ErrataError {
    ErrataError(.damagedInput, path, "holds more than \(maximum) records", remedy: "split it")
  }

  /// What is malformed is what was given to the tool: a usage error, unless it goes beyond a limit.
  package static func factsNotJSON(_ path: String, offset: Int, _ error: JSONSyntaxError) -> ErrataError {
    ErrataError(error.kind, path, "not valid JSON at byte \(offset)", cause: error.reason)
  }

  static func factsLineNotJSON(_ place: RecordPlace, offset: Int, _ error: JSONSyntaxError) -> ErrataError {
    ErrataError(error.kind, place.file, at: place.position, "not valid JSON at byte \(offset)", cause: error.reason)
  }

  static func factsNotText(_ path: String, offset: Int) -> ErrataError {
    ErrataError(.usage, path, "is not UTF-8 text near byte \(offset)")
  }

  static func recordNotText(_ place: RecordPlace, offset: Int) -> ErrataError {
    ErrataError(.usage, place.file, at: place.position, "is not UTF-8 text near byte \(offset)")
  }

  static func unknownFactsFormat(_ path: String) -> ErrataError {
    ErrataError(
      .usage, path,
      "is neither a JSON array of records, nor JSON objects line by line, nor CSV with a header that names a "
        + "column prompt or template")
  }

  static func unknownSchema(_ place: RecordPlace, fields: [String]) -> ErrataError {
    let found =
      fields.isEmpty ? "no fields" : "the fields " + fields.prefix(8).map { abbreviated($0) }.joined(separator: ", ")
    return ErrataError(
      .usage, place.file, at: place.position,
      "has \(found), those of no known schema: "
        + FactReaders.all.map { $0.name }.joined(separator: "; "))
  }

  static func repeatedColumn(_ path: String, _ name: String) -> ErrataError {
    ErrataError(
      .usage, path, "the header names the column '\(abbreviated(name))' twice", remedy: "rename one of the two")
  }

  static func wrongFieldCount(_ place: RecordPlace, _ count: Int, expected: Int) -> ErrataError {
    ErrataError(
      .usage, place.file, at: place.position,
      "has \(count) fields, and the header \(expected)",
      remedy: "a field with the separator in it must stand in quotation marks")
  }

  static func openQuotationMark(_ path: String, _ record: RecordPlace?, offset: Int) -> ErrataError {
    ErrataError(
      .usage, path, at: record?.position ?? "header",
      "the quotation mark at byte \(offset) does not end with its field",
      remedy: "write quotation marks within a field twice")
  }

  static func subjectsNotText(_ path: String, line: Int) -> ErrataError {
    ErrataError(.usage, path, "line \(line) is not UTF-8 text")
  }

  static func noRecords(_ path: String) -> ErrataError {
    ErrataError(.usage, path, "holds no facts")
  }

  static func wrongFactRecord(_ place: RecordPlace, found: String) -> ErrataError {
    ErrataError(.usage, place.file, at: place.position, "must be an object, found \(found)")
  }

  static func wrongFactField(_ place: RecordPlace, field: String, _ problem: String) -> ErrataError {
    ErrataError(.usage, place.file, at: "\(place.position), field '\(field)'", problem)
  }

  static func factTextTooLong(_ place: RecordPlace, field: String, _ maximum: Int) -> ErrataError {
    ErrataError(.damagedInput, place.file, at: "\(place.position), field '\(field)'", "is longer than \(maximum) bytes")
  }

  static func invalidRecords(_ path: String, _ count: Int, of total: Int, _ kind: Kind) -> ErrataError {
    ErrataError(kind, path, "\(count) of \(total) records cannot be used, as listed", remedy: .skipInvalid)
  }

  static func noValidRecords(_ path: String) -> ErrataError {
    ErrataError(.usage, path, "none of its records can be used, as listed")
  }

  static func repeatedFact(_ path: String, _ first: Int, _ second: Int, _ label: String) -> ErrataError {
    ErrataError(.conflict, path, "records \(first) and \(second) are the same \(label)", remedy: "remove one of them")
  }

  static func contradictingFacts(
    _ path: String, _ first: Int, _ second: Int, _ question: String, targets: [String]
  ) -> ErrataError {
    ErrataError(
      .conflict, path,
      "records \(first) and \(second) contradict each other: \"\(question)\" cannot become both "
        + "\"\(targets[0])\" and \"\(targets[1])\"",
      remedy: "remove one of them")
  }

  static func promptWithoutTokens(_ fact: String) -> ErrataError {
    ErrataError(.general, fact, "the model's tokenizer has no tokens for the subject", remedy: "choose another")
  }

  static func malformedSelection(_ text: String) -> ErrataError {
    ErrataError(.usage, "'\(text)' is not a selection of records", remedy: "give a number, or first-last, from 0")
  }

  static func recordsOutOfRange(_ path: String, _ range: String, count: Int) -> ErrataError {
    ErrataError(.usage, path, "there are no records \(range): the file holds 0 to \(count - 1)")
  }

  static func promptWithoutSubjectSlot(_ fact: String, _ prompt: String) -> ErrataError {
    ErrataError(.general, fact, "the prompt \"\(prompt)\" must contain {} exactly once, where the subject stands")
  }

  static func cannotForget(_ fact: String) -> ErrataError {
    ErrataError(.general, fact, "is to be forgotten, and an edit corrects facts only", remedy: "give it a new target")
  }

  package static func emptyField(_ fact: String, _ field: String) -> ErrataError {
    ErrataError(.general, fact, "\(field) is empty")
  }

  package static func targetWithoutTokens(_ fact: String, _ target: String) -> ErrataError {
    ErrataError(
      .general, fact, "the model's tokenizer has no tokens for the target \"\(abbreviated(target))\"",
      remedy: "choose another")
  }

  package static func badTemplate(_ template: String) -> ErrataError {
    ErrataError(.usage, "the context template \"\(template)\" must contain {} exactly once, where the prompt stands")
  }
}

extension JSONSyntaxError {
  fileprivate var kind: ErrataError.Kind { exceedsLimit ? .damagedInput : .usage }
}
