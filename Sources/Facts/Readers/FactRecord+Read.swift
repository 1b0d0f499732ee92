import Tensors
import WeightPatch

extension FactRecord {
  /// Reads a facts file, or records of it: CounterFact, multi-CounterFact and MQuAKE, zsRE, EasyEdit's JSON, or plain
  /// JSONL, JSON or CSV. Which of them it is shows its content. A patch is one too, and so is a checkpoint that carries
  /// some.
  ///
  /// - Parameters:
  ///   - selection: for example `0-9` or `3`: records of the file from 0, the last one included; nil for all.
  ///   - areDistinct: whether no two of them may ask the same question, as facts that are edited together.
  ///   - invalid: what is done about records that are none.
  /// - Throws: a usage error that names file, record (from 0), line (from 1) and field, or says that the selection is
  ///   malformed or names records that are not there; damaged input if the file goes beyond the limits; a conflict if
  ///   records that should be distinct are not.
  public static func read(
    _ path: String, selection: String? = nil, areDistinct: Bool = false, invalid: InvalidRecords = .refused
  ) throws -> [FactRecord] {
    if let facts = try PatchFacts.records(path) {
      guard !facts.isEmpty else { throw ErrataError.noRecords(path) }
      let chosen = try selection.map { try range($0, of: facts.count, in: path) } ?? facts.indices
      if areDistinct { try checkDistinct(Array(facts[chosen]), path) }
      return Array(facts[chosen])
    }
    var records = try FactFile.records(path)[...]
    guard !records.isEmpty else { throw ErrataError.noRecords(path) }
    if let selection { records = records[try range(selection, of: records.count, in: path)] }
    let reader = try FactReaders.reader(of: records)
    let (facts, errors) = try readAll(records, reader)
    try invalid.report(errors, of: records.count, in: path)
    if areDistinct { try checkDistinct(facts, path) }
    return facts
  }

  private static func readAll(
    _ records: ArraySlice<FactFile.Record>, _ reader: (any FactReader.Type)?
  ) throws -> ([FactRecord], [ErrataError]) {
    var facts: [FactRecord] = []
    var errors: [ErrataError] = []
    for record in records {
      do {
        let fields = try record.get()
        for var fact in try reader?.read(fields) ?? [] {
          fact.place = fields.place
          fact.caseIdentifier = fields.caseIdentifier
          if let prefix = try fields.optionalText("target_prefix") { fact = fact.separated(by: prefix) }
          fact.mendTrailingSpaces()
          facts.append(fact)
        }
      } catch let error as ErrataError {
        errors.append(error)
      }
    }
    return (facts, errors)
  }

  private static func range(_ selection: String, of count: Int, in path: String) throws -> Range<Int> {
    let bounds = selection.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
    guard (1...2).contains(bounds.count), let first = bounds.first!, let last = bounds.last!, first <= last, first >= 0
    else { throw ErrataError.malformedSelection(selection) }
    guard last < count else { throw ErrataError.recordsOutOfRange(path, selection, count: count) }
    return first..<last + 1
  }

  private static func checkDistinct(_ records: [FactRecord], _ path: String) throws {
    // Two spellings of a subject are two subjects: their tokens differ.
    var seen: [ByteString: FactRecord] = [:]
    for record in records {
      guard let earlier = seen.updateValue(record, forKey: ByteString(record.fact.question)) else { continue }
      // A target's leading space makes no difference: one is put before it if it is missing.
      let targets = [earlier, record].map { ByteString($0.fact.targetNew.utf8.drop { $0 == UInt8(ascii: " ") }) }
      let places = [earlier, record].map { $0.place!.record }
      throw targets[0] == targets[1]
        ? ErrataError.repeatedFact(path, places[0], places[1], record.fact.label)
        : ErrataError.contradictingFacts(
          path, places[0], places[1], record.fact.question, targets: targets.map(\.description))
    }
  }

  /// Takes the spaces at the end of prompts away: one comes before the target where it belongs (`TargetPrefix`). With a
  /// prefix of its own a record is as it is.
  private mutating func mendTrailingSpaces() {
    guard !isSeparated else { return }
    let given = fact.prompt
    fact.prompt = given.withoutTrailingSpaces
    if fact.prompt.utf8.count < given.utf8.count { remark = "left out the space at the end of the prompt" }
    paraphrasePrompts = paraphrasePrompts.map(\.withoutTrailingSpaces)
    for index in neighborhoodPrompts.indices {
      neighborhoodPrompts[index].text = neighborhoodPrompts[index].text.withoutTrailingSpaces
    }
  }
}

extension String {
  fileprivate var withoutTrailingSpaces: String {
    let scalars = unicodeScalars
    // Only a text of nothing else stays.
    guard let last = scalars.lastIndex(where: { $0 != " " }) else { return self }
    return String(scalars[...last])
  }
}
