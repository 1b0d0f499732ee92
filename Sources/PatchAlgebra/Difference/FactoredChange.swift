import Foundation
import LinearAlgebra
import Tensors
import WeightPatch

/// A change D = A B of a tensor as orthonormal factors around a small core, `D = Q C P^T`: norms, products and angles
/// follow from the core, and D itself (d_out x d_in) is never formed.
struct FactoredChange {
  /// Q, d_out x k with k = min(d_out, E), with orthonormal columns.
  private let outputs: Matrix<Double>
  /// C, k x l.
  private let core: Matrix<Double>
  /// P, d_in x l with l = min(d_in, E), with orthonormal columns.
  private let inputs: Matrix<Double>

  /// - Parameters:
  ///   - left: A, d_out x E.
  ///   - right: B, E x d_in.
  /// - Complexity: O(E^2 (d_out + d_in)).
  init(left: Matrix<Double>, right: Matrix<Double>) {
    let (columns, rows) = (OrthogonalFactor(left), OrthogonalFactor(right.transposed()))
    outputs = columns.orthonormal
    inputs = rows.orthonormal
    core = columns.triangular.multiplied(by: rows.triangular, .transposed)
  }

  /// The Frobenius norm of D.
  var norm: Double { core.frobeniusNorm }

  /// The inner product <D, D'> = tr(D^T D').
  func innerProduct(_ other: FactoredChange) -> Double {
    let outputs = self.outputs.multiplied(.transposed, by: other.outputs)
    let inputs = self.inputs.multiplied(.transposed, by: other.inputs)
    let seen = outputs.multiplied(by: other.core).multiplied(by: inputs, .transposed)
    return zip(core.elements, seen.elements).reduce(0) { $0 + $1.0 * $1.1 }
  }

  /// Orthonormal bases of the column space (d_out x r) and of the row space (d_in x r), r being the numerical rank: the
  /// number of singular values above the rounding of the largest one, `max(d_out, d_in) eps s_1`.
  ///
  /// - Throws: `SingularValueDecomposition.NotConverged`.
  func spaces() throws(SingularValueDecomposition.NotConverged) -> (columns: Matrix<Double>, rows: Matrix<Double>) {
    let decomposition = try SingularValueDecomposition(core)
    let size = Double(max(outputs.rows, inputs.rows))
    let floor = (decomposition.values.first ?? 0) * size * Double.ulpOfOne
    let rank = decomposition.values.count { $0 > floor }
    return (
      outputs.multiplied(by: decomposition.left.firstColumns(rank)),
      inputs.multiplied(by: decomposition.right.transposed().firstColumns(rank))
    )
  }
}

/// The principal angles between two subspaces, in radians, ascending; as many as the smaller one has dimensions.
///
/// Small angles come from sines and large ones from cosines, so that both are as exact as the bases (A. Bjorck and
/// G. H. Golub, Numerical methods for computing angles between linear subspaces, 1973).
///
/// - Parameters:
///   - first: n x p, with orthonormal columns.
///   - second: n x q, likewise.
/// - Throws: `SingularValueDecomposition.NotConverged`.
func principalAngles(
  _ first: Matrix<Double>, _ second: Matrix<Double>
) throws(SingularValueDecomposition.NotConverged) -> [Double] {
  let (large, small) = first.columns >= second.columns ? (first, second) : (second, first)
  let overlap = large.multiplied(.transposed, by: small)
  let cosines = try SingularValueDecomposition.values(of: overlap)
  let rest = small.adding(large.multiplied(by: overlap), times: -1)
  let sines = try SingularValueDecomposition.values(of: rest).reversed()
  return zip(cosines, sines).map { cosine, sine in
    cosine * cosine >= 0.5 ? asin(min(sine, 1)) : acos(min(cosine, 1))
  }
}

extension Matrix where Element == Double {
  /// This matrix plus `scale` times `other`.
  func adding(_ other: Matrix<Double>, times scale: Double) -> Matrix<Double> {
    precondition(rows == other.rows && columns == other.columns)
    var result = self
    let count = self.count
    result.withUnsafeMutablePointer { elements in
      other.withUnsafePointer { other in
        for index in 0..<count { elements[index] += scale * other[index] }
      }
    }
    return result
  }

  /// The rows of several matrices with as many columns, one matrix below the other.
  package init(stacking matrices: [Matrix<Double>], columns: Int) {
    precondition(matrices.allSatisfy { $0.columns == columns })
    self.init(
      rows: matrices.reduce(0) { $0 + $1.rows }, columns: columns, elements: matrices.flatMap(\.elements))
  }

  /// Every element times `scale`.
  func scaled(by scale: Double) -> Matrix<Double> {
    var result = self
    let count = self.count
    result.withUnsafeMutablePointer { elements in
      for index in 0..<count { elements[index] *= scale }
    }
    return result
  }
}
