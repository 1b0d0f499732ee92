import Tensors
import WeightPatch

extension Patch {
  /// What the components beside the facts of a batch (an imported adapter, say) do at the facts' keys, as a share of
  /// what each asks for: |D k| / |r|, in every tensor that both change.
  ///
  /// Only components that the batch does not know of count: what stood in the model when its residuals were measured
  /// disturbs nothing.
  ///
  /// - Parameter batch: the index of a batch of facts.
  /// - Returns: a share for each fact; empty for a tensor where the batch carries no keys or no G, and nil in it for a
  ///   fact that asks for nothing. No entry where nothing disturbs.
  func disturbances(ofBatch batch: Int) -> [ByteString: [Double?]] {
    let described = manifest.batches[batch]
    guard described.terms == .facts else { return [:] }
    let known = described.computedOn.map(Set.init) ?? Set(manifest.batches[..<batch].map(\.digest))
    let others = manifest.batches.indices.filter {
      manifest.batches[$0].terms == .components && !known.contains(manifest.batches[$0].digest)
    }
    var result: [ByteString: [Double?]] = [:]
    for factors in batches[batch].tensors {
      let disturbers = others.flatMap { batches[$0].tensors }.filter { $0.name == factors.name && $0.rank > 0 }
      guard !disturbers.isEmpty else { continue }
      result[factors.name] = factors.disturbance(by: disturbers, slack: described.slack(of: factors.name)) ?? []
    }
    return result
  }
}

extension LowRankFactors {
  /// - Parameter others: factors of the same tensor.
  fileprivate func disturbance(by others: [LowRankFactors], slack: Manifest.TermSlack) -> [Double?]? {
    guard let keys = keyValues()?.widened(), let residuals = residuals(slack: slack) else { return nil }
    var moved = Matrix<Double>(rows: keys.rows, columns: residuals.columns)
    for other in others {
      // A patch that was read has finite values.
      var (left, right) = (other.leftValues()!.widened(), other.rightValues()!.widened())
      // The difference of two checkpoints may hold a tensor the other way round.
      if other.isTransposed != isTransposed { (left, right) = (right.transposed(), left.transposed()) }
      let change = keys.multipliedPlainly(right).multipliedPlainly(left)
      for row in 0..<moved.rows {
        for column in 0..<moved.columns { moved[row, column] += change[row, column] }
      }
    }
    return zip(moved.rowNorms(), residuals.rowNorms()).map { $1 > 0 ? $0 / $1 : nil }
  }
}

extension Matrix where Element == Double {
  /// Times the transpose of a matrix, rows by rows.
  fileprivate func multipliedPlainly(_ other: Matrix<Double>) -> Matrix<Double> {
    MatrixProduct.plain(self, by: other, .transposed)
  }
}
