import Foundation
import Tensors
import WeightPatch

/// A fact to correct, with the prompts that show whether the correction holds and keeps to itself: one CounterFact record
/// (Meng et al. 2022, section 3.3).
public struct FactRecord: Sendable, Equatable {
  public let fact: Manifest.Fact
  /// The same question in other words.
  public let paraphrasePrompts: [String]
  /// The same relation of other subjects, whose answer is the old target and should stay so.
  public let neighborhoodPrompts: [String]

  public init(fact: Manifest.Fact, paraphrasePrompts: [String] = [], neighborhoodPrompts: [String] = []) {
    self.fact = fact
    self.paraphrasePrompts = paraphrasePrompts
    self.neighborhoodPrompts = neighborhoodPrompts
  }
}

extension FactRecord {
  /// Reads a facts file in CounterFact schema: a JSON array of records.
  ///
  /// - Throws: an `ErrataError` that names file, record (from 0) and field.
  public static func read(_ path: String) throws -> [FactRecord] {
    guard let records = try JSON.parse(contentsOf: path).arrayValue else {
      throw ErrataError.factsNotAnArray(path)
    }
    guard !records.isEmpty else { throw ErrataError.noRecords(path) }
    return try records.enumerated().map { try FactRecord(FactFields(file: path, record: $0, value: $1)) }
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
    var seen: [[String]: Int] = [:]
    for index in range {
      let fact = records[index].fact
      guard let earlier = seen.updateValue(index, forKey: [fact.subject, fact.prompt]) else { continue }
      // A target's leading space makes no difference: one is put before it if it is missing.
      let targets = [earlier, index].map { String(records[$0].fact.targetNew.drop { $0 == " " }) }
      throw targets[0] == targets[1]
        ? ErrataError.repeatedFact(path, earlier, index, fact.label)
        : ErrataError.contradictingFacts(path, earlier, index, fact.question, targets: targets)
    }
  }

  private init(_ record: FactFields) throws {
    let rewrite = try record.object("requested_rewrite")
    let prompt = try rewrite.text("prompt")
    let subject = try rewrite.text("subject")
    guard prompt.components(separatedBy: "{}").count == 2 else {
      throw rewrite.failure("prompt", "must contain {} exactly once, where the subject stands, found \"\(prompt)\"")
    }
    guard !subject.allSatisfy(\.isWhitespace) else { throw rewrite.failure("subject", "is empty") }
    let targetNew = try rewrite.object("target_new").text("str")
    guard !targetNew.allSatisfy(\.isWhitespace) else { throw rewrite.failure("target_new.str", "is empty") }
    fact = Manifest.Fact(
      subject: subject, prompt: prompt, targetNew: targetNew,
      targetTrue: try rewrite.optionalObject("target_true")?.text("str"),
      relation: try rewrite.optionalText("relation_id"), source: try record.optionalText("source"))
    paraphrasePrompts = try record.texts("paraphrase_prompts")
    neighborhoodPrompts = try record.texts("neighborhood_prompts")
  }
}

/// The fields of one object in a facts file.
private struct FactFields {
  let file: String
  let record: Int
  let value: JSON
  var path = ""

  func failure(_ field: String, _ problem: String) -> ErrataError {
    ErrataError.wrongFactField(file, record: record, field: path + field, problem)
  }

  func object(_ field: String) throws -> FactFields {
    guard let found = try optionalObject(field) else { throw failure(field, "is missing") }
    return found
  }

  func optionalObject(_ field: String) throws -> FactFields? {
    guard value.objectValue != nil else {
      throw ErrataError.wrongFactRecord(file, record: record, found: value.kind)
    }
    guard let found = value[ByteString(field)], !found.isNull else { return nil }
    guard found.objectValue != nil else { throw failure(field, "must be an object, found \(found.kind)") }
    return FactFields(file: file, record: record, value: found, path: path + field + ".")
  }

  func text(_ field: String) throws -> String {
    guard let text = try optionalText(field) else { throw failure(field, "is missing") }
    return text
  }

  func optionalText(_ field: String) throws -> String? {
    guard let found = value[ByteString(field)], !found.isNull else { return nil }
    guard let text = found.stringValue else { throw failure(field, "must be a string, found \(found.kind)") }
    return text
  }

  func texts(_ field: String) throws -> [String] {
    guard let found = value[ByteString(field)], !found.isNull else { return [] }
    guard let elements = found.arrayValue else {
      throw failure(field, "must be an array of strings, found \(found.kind)")
    }
    return try elements.map {
      guard let text = $0.stringValue else {
        throw failure(field, "must be an array of strings, found \($0.kind) in it")
      }
      guard !text.isEmpty else { throw failure(field, "holds an empty prompt") }
      return text
    }
  }
}
