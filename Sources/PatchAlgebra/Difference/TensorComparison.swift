import LinearAlgebra
import Tensors
import WeightPatch

/// What two patches do to one tensor, D_A and D_B, from their factors. Corrections are no part of D.
public struct TensorComparison: Sendable {
  public let name: ByteString
  /// norm(D), Frobenius; nil for a patch that does not edit the tensor.
  public let firstNorm: Double?
  public let secondNorm: Double?
  /// norm(D_A - D_B); nil if the shapes differ.
  public let differenceNorm: Double?
  /// <D_A, D_B> / (norm(D_A) norm(D_B)); nil if one of them is zero or not there, or if the shapes differ.
  public let cosine: Double?
  /// The numerical ranks.
  public let firstRank: Int
  public let secondRank: Int
  /// The principal angles between the column spaces (of outputs), in radians, ascending, as many as the smaller rank.
  public let columnAngles: [Double]
  /// The principal angles between the row spaces (of inputs).
  public let rowAngles: [Double]
  /// How many elements the corrections change.
  public let firstCorrectedCount: Int
  public let secondCorrectedCount: Int

  /// - Parameters:
  ///   - first: the factors of the first patch's batches for this tensor; none if it does not edit it.
  ///   - second: those of the second.
  init(
    name: ByteString, _ first: [LowRankFactors], _ second: [LowRankFactors]
  ) throws(SingularValueDecomposition.NotConverged) {
    self.name = name
    firstCorrectedCount = first.reduce(0) { $0 + ($1.correction?.count ?? 0) }
    secondCorrectedCount = second.reduce(0) { $0 + ($1.correction?.count ?? 0) }
    let isTransposed = (first.first ?? second.first)?.isTransposed ?? false
    let (a, b) = (SummedFactors(first, transposed: isTransposed), SummedFactors(second, transposed: isTransposed))
    let changes = (a.map(\.change), b.map(\.change))
    firstNorm = changes.0?.norm
    secondNorm = changes.1?.norm
    let spaces = (try changes.0?.spaces(), try changes.1?.spaces())
    firstRank = spaces.0?.columns.columns ?? 0
    secondRank = spaces.1?.columns.columns ?? 0
    guard let a, let b, let changeA = changes.0, let changeB = changes.1 else {
      (differenceNorm, cosine, columnAngles, rowAngles) = (firstNorm ?? secondNorm, nil, [], [])
      return
    }
    guard first[0].shape == second[0].shape, let spacesA = spaces.0, let spacesB = spaces.1 else {
      (differenceNorm, cosine, columnAngles, rowAngles) = (nil, nil, [], [])
      return
    }
    differenceNorm = a.subtracting(b).norm
    let norms = changeA.norm * changeB.norm
    cosine = norms > 0 ? min(max(changeA.innerProduct(changeB) / norms, -1), 1) : nil
    columnAngles = try principalAngles(spacesA.columns, spacesB.columns)
    rowAngles = try principalAngles(spacesA.rows, spacesB.rows)
  }
}

/// The sum of the changes of some batches, one factor beside the other.
private struct SummedFactors {
  /// A^T, E x d_out.
  private let left: Matrix<Double>
  /// B, E x d_in.
  private let right: Matrix<Double>

  private init(left: Matrix<Double>, right: Matrix<Double>) {
    self.left = left
    self.right = right
  }

  /// - Parameters:
  ///   - factors: of one tensor; nil if there are none.
  ///   - isTransposed: the orientation that counts as logical. A patch made of two checkpoints does not know it, and
  ///     takes tensors as they are stored.
  init?(_ factors: [LowRankFactors], transposed isTransposed: Bool) {
    guard let first = factors.first else { return nil }
    // A patch that was read has finite values, and its batches agree on the shape.
    let left = Matrix(stacking: factors.map { $0.leftValues()!.widened().transposed() }, columns: first.outputSize)
    let right = Matrix(stacking: factors.map { $0.rightValues()!.widened() }, columns: first.inputSize)
    (self.left, self.right) = first.isTransposed == isTransposed ? (left, right) : (right, left)
  }

  var change: FactoredChange { FactoredChange(left: left.transposed(), right: right) }

  func subtracting(_ other: SummedFactors) -> FactoredChange {
    SummedFactors(
      left: Matrix(stacking: [left, other.left], columns: left.columns),
      right: Matrix(stacking: [right, other.right.scaled(by: -1)], columns: right.columns)
    ).change
  }
}
