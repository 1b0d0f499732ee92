import Tensors
import WeightPatch

extension PatchFile {
  /// The patch without some facts: the batches that held them are solved again for the residuals of the others. One
  /// that loses its last fact goes.
  ///
  /// - Parameter facts: IDs, the first digits of IDs (four at least), or exact subjects.
  /// - Throws: an `ErrataError` if a fact is not found or could be several, if a batch cannot be solved again, or if
  ///   nothing would remain.
  public func dropping(_ facts: [String]) throws -> DerivedPatch {
    let dropped = Set(try facts.map(factIdentifier))
    let batches = try patch.batches.indices.compactMap { index -> (EditBatch, Manifest.Batch)? in
      let description = patch.manifest.batches[index]
      let kept = description.facts.indices.filter { !dropped.contains(description.facts[$0].identifier) }
      if kept.count == description.facts.count { return (patch.batches[index], description) }
      guard description.terms == .facts else { throw ErrataError.batchOfComponents(path, index) }
      return kept.isEmpty ? nil : try solvedAgain(batch: index, keeping: kept)
    }
    guard !batches.isEmpty else { throw ErrataError.nothingLeft(path) }
    return DerivedPatch(from: self, batches: batches, change: "without \(dropped.sorted().joined(separator: ", "))")
  }

  private func factIdentifier(_ text: String) throws -> String {
    try PatchAlgebra.factIdentifier(text, among: patch.manifest.batches.flatMap(\.facts), source: path)
  }
}

/// The ID of the one fact that a person means: by its ID, the first digits of it (four at least), or the exact subject.
///
/// - Parameter source: where the facts are from, for messages.
/// - Throws: an `ErrataError` if no fact is meant, or if several could be.
public func factIdentifier(_ text: String, among facts: [Manifest.Fact], source: String) throws -> String {
  let digits = text.lowercased()
  let byNumber = digits.utf8.count >= 4 ? facts.filter { $0.identifier.hasPrefix(digits) } : []
  // One correction can stand in several batches.
  let found = Set((byNumber + facts.filter { $0.subject == text }).map(\.identifier))
  guard let identifier = found.first else { throw ErrataError.factNotFound(source, text) }
  guard found.count == 1 else { throw ErrataError.factAmbiguous(source, text, found.sorted()) }
  return identifier
}
