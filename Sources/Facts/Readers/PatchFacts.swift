import CheckpointLedger
import Foundation
import Tensors
import WeightPatch

/// The facts of a patch, or of the patches in a checkpoint's ledger, as a facts file: whoever has either can ask
/// whether they hold, each put as it was put when the patch was made.
enum PatchFacts {
  /// - Returns: nil if the path names neither.
  /// - Throws: an `ErrataError` if the patch or the ledger is damaged.
  static func records(_ path: String) throws -> [FactRecord]? {
    var isDirectory: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) else { return nil }
    if isDirectory.boolValue {
      let recorded = try records(ofLedger: path)
      return recorded.isEmpty ? nil : recorded
    }
    switch FileKind(path: path) {
    case .patch: return records(try PatchFile(path: path).manifest, path)
    case .safetensors: return try records(ofLedger: path)
    default: return nil
    }
  }

  /// The facts of all patches that a checkpoint carries; those that several have come once.
  static func records(ofLedger path: String) throws -> [FactRecord] {
    var seen: Set<String> = []
    let facts = try CheckpointState(path: path).patches.flatMap(\.manifest.batches).flatMap(\.facts)
    return number(facts.filter { seen.insert($0.identifier).inserted }, path)
  }

  private static func records(_ manifest: Manifest, _ path: String) -> [FactRecord] {
    number(manifest.batches.flatMap(\.facts), path)
  }

  private static func number(_ facts: [Manifest.Fact], _ path: String) -> [FactRecord] {
    facts.enumerated().map { index, fact in
      var fact = fact
      // It was measured on another model, or at another time.
      fact.outcome = nil
      var record = FactRecord(
        fact: fact, paraphrasePrompts: fact.paraphrases,
        neighborhoodPrompts: fact.neighbours.map { .init($0.prompt, answer: $0.target) })
      record.isSeparated = true
      record.place = RecordPlace(file: path, record: index)
      return record
    }
  }
}

extension FactRecord {
  /// What the ledgers of checkpoints say that was edited; none if they have no ledger.
  ///
  /// - Throws: an `ErrataError` if a ledger is damaged.
  public static func ofLedgers(_ paths: [String]) throws -> [FactRecord] {
    var seen: Set<String> = []
    return try paths.flatMap { try PatchFacts.records(ofLedger: $0) }
      .filter { seen.insert($0.fact.identifier).inserted }
  }
}
