import Tensors
import WeightPatch

/// A fact to correct, with the prompts that show whether the correction holds and keeps to itself.
public struct FactRecord: Sendable, Equatable {
  /// A prompt whose answer should stay as it is.
  public struct NeighborhoodPrompt: Sendable, Equatable {
    public let text: String
    /// Its right answer; nil for the fact's old target (CounterFact's prompts ask the same relation of other subjects).
    public let answer: String?

    public init(_ text: String, answer: String? = nil) {
      self.text = text
      self.answer = answer
    }
  }

  public let fact: Manifest.Fact
  /// The same question in other words.
  public let paraphrasePrompts: [String]
  public let neighborhoodPrompts: [NeighborhoodPrompt]
  /// Beginnings of texts about the subject that a model is to continue.
  public let generationPrompts: [String]
  /// The new target's identifier in a knowledge base (Wikidata's "Q1860"), by which reference texts name it.
  public let targetIdentifier: String?

  public init(
    fact: Manifest.Fact, paraphrasePrompts: [String] = [], neighborhoodPrompts: [NeighborhoodPrompt] = [],
    generationPrompts: [String] = [], targetIdentifier: String? = nil
  ) {
    self.fact = fact
    self.paraphrasePrompts = paraphrasePrompts
    self.neighborhoodPrompts = neighborhoodPrompts
    self.generationPrompts = generationPrompts
    self.targetIdentifier = targetIdentifier
  }
}

extension FactRecord {
  /// Reads a facts file: CounterFact and multi-CounterFact, zsRE, EasyEdit's JSON, or plain JSONL, JSON or CSV. Which of them it
  /// is shows its content.
  ///
  /// - Throws: an `ErrataError` that names file, record (from 0) and field.
  public static func read(_ path: String) throws -> [FactRecord] {
    let records = try FactFile.records(path)
    guard let first = records.first else { throw ErrataError.noRecords(path) }
    let reader = try FactReaders.reader(of: first)
    return try records.map { try reader.read($0) }
  }

  /// The records of a selection, for example `0-9` or `3`: numbers from 0, the last one included.
  ///
  /// - Parameter areDistinct: whether no two of them may ask the same question, as facts that are edited together.
  /// - Throws: a usage error if the selection is malformed or names records that are not there; a conflict if records
  ///   that should be distinct are not.
  public static func read(_ path: String, selection: String?, areDistinct: Bool = false) throws -> [FactRecord] {
    let records = try read(path)
    let range = try selection.map { try Self.range($0, of: records.count, in: path) } ?? 0..<records.count
    if areDistinct { try checkDistinct(records, range, path) }
    return Array(records[range])
  }

  private static func range(_ selection: String, of count: Int, in path: String) throws -> Range<Int> {
    let bounds = selection.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
    guard (1...2).contains(bounds.count), let first = bounds.first!, let last = bounds.last!, first <= last, first >= 0
    else { throw ErrataError.malformedSelection(selection) }
    guard last < count else { throw ErrataError.recordsOutOfRange(path, selection, count: count) }
    return first..<last + 1
  }

  private static func checkDistinct(_ records: [FactRecord], _ range: Range<Int>, _ path: String) throws {
    var seen: [String: Int] = [:]
    for index in range {
      let fact = records[index].fact
      guard let earlier = seen.updateValue(index, forKey: fact.question) else { continue }
      // A target's leading space makes no difference: one is put before it if it is missing.
      let targets = [earlier, index].map { String(records[$0].fact.targetNew.drop { $0 == " " }) }
      throw targets[0] == targets[1]
        ? ErrataError.repeatedFact(path, earlier, index, fact.label)
        : ErrataError.contradictingFacts(path, earlier, index, fact.question, targets: targets)
    }
  }
}
