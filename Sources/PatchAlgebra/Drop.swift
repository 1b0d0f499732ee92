import Tensors
import WeightPatch

extension PatchFile {
  /// The patch without some facts: the batches that held them are solved again for the residuals of the others. One that
  /// loses its last fact goes.
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

  /// The ID of the one fact that a person means.
  private func factIdentifier(_ text: String) throws -> String {
    let facts = patch.manifest.batches.flatMap(\.facts)
    let digits = text.lowercased()
    let byNumber = digits.utf8.count >= 4 ? facts.filter { $0.identifier.hasPrefix(digits) } : []
    // One correction can stand in several batches.
    let found = Set((byNumber + facts.filter { $0.subject == text }).map(\.identifier))
    guard let identifier = found.first else { throw ErrataError.factNotFound(path, text) }
    guard found.count == 1 else { throw ErrataError.factAmbiguous(path, text, found.sorted()) }
    return identifier
  }
}
