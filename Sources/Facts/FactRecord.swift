import Tensors
import WeightPatch

/// A fact to correct, with the prompts that show whether the correction holds and keeps to itself.
public struct FactRecord: Sendable, Equatable {
  /// A prompt whose answer should stay as it is.
  public struct NeighborhoodPrompt: Sendable, Equatable {
    public package(set) var text: String
    /// Its right answer; nil for the fact's old target (CounterFact's prompts ask the same relation of other subjects).
    public let answer: String?

    public init(_ text: String, answer: String? = nil) {
      self.text = text
      self.answer = answer
    }
  }

  public package(set) var fact: Manifest.Fact
  /// Whether the fact says what stands between its prompt and its target; what a file leaves open, a rule decides.
  public package(set) var isSeparated = false
  /// The same question in other words.
  public package(set) var paraphrasePrompts: [String]
  public package(set) var neighborhoodPrompts: [NeighborhoodPrompt]
  /// Beginnings of texts about the subject that a model is to continue.
  public let generationPrompts: [String]
  /// The new target's identifier in a knowledge base (Wikidata's "Q1860"), by which reference texts name it.
  public let targetIdentifier: String?
  /// What its file calls it (`case_id`); nil if it has no such name.
  public package(set) var caseIdentifier: String?
  /// Where it was read; nil if it was not read from a file.
  public package(set) var place: RecordPlace?
  /// What was mended when it was read, for people.
  public package(set) var remark: String?

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

  /// The record with `text` between its prompt and its target.
  package func separated(by text: String) -> FactRecord {
    var record = self
    record.fact = fact.separated(by: text)
    record.isSeparated = true
    return record
  }
}

/// Where a record stands in its file.
public struct RecordPlace: Sendable, Equatable {
  public let file: String
  /// Of the record in the file, from 0.
  public let record: Int
  /// Where the record begins, from 1; nil if that is not known.
  public var line: Int?

  package init(file: String, record: Int, line: Int? = nil) {
    self.file = file
    self.record = record
    self.line = line
  }
}

extension RecordPlace: CustomStringConvertible {
  public var description: String { "\(file): \(position)" }

  /// In the file.
  package var position: String { "record \(record)" + (line.map { " (line \($0))" } ?? "") }
}
