import LinearAlgebra
import Tensors

/// Which facts' keys depend linearly on those of facts before them, so that there is no solution at lambda = 0.
///
/// - Parameters:
///   - gram: G = K^T C^-1 K, E x E.
///   - tolerance: what counts as zero of a key's square, as a share of it. Keys are measured in float32: by default,
///     two that agree to its precision are one.
/// - Returns: the facts' positions, ascending.
/// - Complexity: O(E^3).
public func dependentFacts(inGram gram: Matrix<Double>, tolerance: Double = 1e-10) -> [Int] {
  var gram = gram
  // Facts differ in the size of their keys: what counts is the angle.
  let scales = (0..<gram.rows).map { 1 / max(gram[$0, $0].squareRoot(), .leastNormalMagnitude) }
  for row in 0..<gram.rows {
    for column in 0..<gram.rows { gram[row, column] *= scales[row] * scales[column] }
  }
  // Complete pivoting tells whether there are any, reliably, but not which are the later ones.
  if dependentRows(of: gram, tolerance: tolerance).isEmpty { return [] }
  return laterDependentRows(&gram, tolerance)
}

/// Cholesky in the order of the facts, leaving out each row of which the rows before leave nothing.
private func laterDependentRows(_ gram: inout Matrix<Double>, _ tolerance: Double) -> [Int] {
  var kept: [Int] = []
  var dependent: [Int] = []
  for row in 0..<gram.rows {
    var rest = gram[row, row]
    for (position, column) in kept.enumerated() {
      let sum = kept[..<position].reduce(gram[row, column]) { $0 - gram[row, $1] * gram[column, $1] }
      gram[row, column] = sum / gram[column, column]
      rest -= gram[row, column] * gram[row, column]
    }
    if rest > tolerance {
      gram[row, row] = rest.squareRoot()
      kept.append(row)
    } else {
      dependent.append(row)
    }
  }
  return dependent
}
