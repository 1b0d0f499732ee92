import Facts
import Foundation
import KnowledgeEditing
import Tensors

/// Texts about subjects that a fact's new target is true of, with which generated text is compared: the reference score
/// (Meng et al. 2022, section 3.3, RS).
///
/// The file is that of ROME, `attribute_snippets.json`: an array of objects with `relation_id`, `target_id` and
/// `samples`, an array of objects with `text`. An object of relations, each an object of targets (identifier or text),
/// each an array of texts, is read too.
public struct ReferenceTexts: Sendable {
  private struct Key: Hashable {
    let relation: String
    let target: String
  }

  private let texts: [Key: [String]]
  /// ln((1 + n) / (1 + n_t)) + 1 for a term t in n_t of the n texts (scikit-learn's TfidfVectorizer).
  private let inverseFrequencies: [String: Double]
  static let maximumLength = 1 << 30

  /// - Throws: an `ErrataError` that names the file and what is wrong with it where.
  public init(contentsOf path: String) throws {
    let file = try MappedFile(path: path)
    let value = try withExtendedLifetime(file) {
      guard file.bytes.count <= Self.maximumLength else { throw ErrataError.textTooLong(path, Self.maximumLength) }
      do throws(JSONSyntaxError) {
        return try JSON.parse(file.bytes)
      } catch {
        throw ErrataError.factsNotJSON(path, offset: error.offset, error)
      }
    }
    var texts: [Key: [String]] = [:]
    if let entries = value.arrayValue {
      for (index, entry) in entries.enumerated() {
        let fields = FactFields(place: RecordPlace(file: path, record: index), value: entry)
        let key = Key(relation: try fields.text("relation_id"), target: try fields.text("target_id"))
        guard let samples = try fields.optional("samples")?.arrayValue else {
          throw fields.failure("samples", "must be an array of objects")
        }
        texts[key, default: []] += try samples.map {
          try fields.fields($0, path: "samples.").text("text")
        }
      }
    } else if let relations = value.objectValue {
      for (relation, targets) in relations.members {
        guard let targets = targets.objectValue else {
          throw ErrataError.badReferences(path, "\(relation): must be an object of targets, found \(targets.kind)")
        }
        for (target, list) in targets.members {
          guard let list = list.arrayValue, list.allSatisfy({ $0.stringValue != nil }) else {
            throw ErrataError.badReferences(path, "\(relation).\(target): must be an array of texts")
          }
          texts[Key(relation: relation.description, target: target.description), default: []] +=
            list.map { $0.stringValue! }
        }
      }
    } else {
      throw ErrataError.badReferences(path, "must be an array or an object, found \(value.kind)")
    }
    let all = texts.values.flatMap { $0 }
    guard !all.isEmpty else { throw ErrataError.badReferences(path, "holds no texts") }
    var documentCounts: [String: Int] = [:]
    for text in all { for term in Set(Words.terms(text)) { documentCounts[term, default: 0] += 1 } }
    self.texts = texts
    inverseFrequencies = documentCounts.mapValues { log(Double(1 + all.count) / Double(1 + $0)) + 1 }
  }

  /// Whether there are texts for a record's new target.
  public func covers(_ record: FactRecord) -> Bool { !texts(of: record).isEmpty }

  /// The texts for a record's new target, by its identifier or its text; empty if there are none.
  func texts(of record: FactRecord) -> [String] {
    guard let relation = record.fact.relation else { return [] }
    for target in [record.targetIdentifier, record.fact.targetNew].compactMap({ $0 }) {
      if let found = texts[Key(relation: relation, target: target)] { return found }
    }
    return []
  }

  /// The cosine of the angle between two texts' vectors of term frequency times inverse document frequency; terms that
  /// no reference text has do not count. 0 if a text has none that counts.
  public func similarity(_ first: String, _ second: String) -> Double {
    let vectors = [first, second].map { text in
      Words.terms(text).reduce(into: [String: Double]()) { vector, term in
        if let weight = inverseFrequencies[term] { vector[term, default: 0] += weight }
      }
    }
    // In order, so that rounding does not depend on the order of a dictionary.
    let norms = vectors.map { $0.values.sorted().reduce(0) { $0 + $1 * $1 }.squareRoot() }
    guard norms.allSatisfy({ $0 > 0 }) else { return 0 }
    let product = vectors[0].keys.sorted().reduce(0) { $0 + vectors[0][$1]! * (vectors[1][$1] ?? 0) }
    return product / norms[0] / norms[1]
  }

  /// RS of a record: how similar all its generated texts together are to all its reference texts together; nil if there
  /// are none of either.
  func score(of generated: [String], for record: FactRecord) -> Double? {
    let references = texts(of: record)
    guard !references.isEmpty, !generated.isEmpty else { return nil }
    return similarity(generated.joined(separator: " "), references.joined(separator: " "))
  }
}
