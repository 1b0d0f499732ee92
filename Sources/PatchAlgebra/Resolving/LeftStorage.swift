import LinearAlgebra
import Tensors
import WeightPatch

/// A new A beside a B that keeps its stored bytes.
struct LeftStorage {
  /// A, d_out x E.
  let left: StoredFactor
  /// The largest over the facts of norm(D_stored k_e - D k_e) / norm(r_e).
  let error: Double

  /// Stores A in float16 if that keeps the edit at the keys within `tolerance`, else in float32.
  ///
  /// D k_e for all e is A (B K), and B K = U^T K = G. So the error can be measured without keys, except for what the
  /// rounding of B has to do with it.
  ///
  /// - Parameters:
  ///   - left: A, d_out x E, as solved.
  ///   - system: what A solves.
  ///   - storedAtKeys: B_stored K, E x E, if the keys are known.
  ///   - tolerance: a share of the residual's norm; a fact whose residual is zero is left out.
  /// - Throws: an `ErrataError` if A is too large or too small for float32.
  init(
    _ left: Matrix<Double>, of system: GramSystem, storedAtKeys: Matrix<Double>?, tolerance: Double = 1e-3
  ) throws {
    let single = try left.narrowedFactor(.columns)
    let atKeys = storedAtKeys ?? system.gram
    let wanted = left.multiplied(by: system.gram)
    let norms = system.residuals.columnNorms()

    /// nil if rounding carries a value out of range.
    func choice(_ dtype: DType) -> (left: StoredFactor, error: Double)? {
      let factor = StoredFactor(single, dtype: dtype, facts: .columns)
      guard let values = factor.values(facts: .columns) else { return nil }
      var difference = values.widened().multiplied(by: atKeys)
      for row in 0..<difference.rows {
        for column in 0..<difference.columns { difference[row, column] -= wanted[row, column] }
      }
      return (factor, zip(difference.columnNorms(), norms).map { $1 > 0 ? $0 / $1 : 0 }.max() ?? 0)
    }

    if let narrow = choice(.f16), narrow.error < tolerance {
      (self.left, error) = narrow
    } else {
      // Taken even if it misses the tolerance, since there is nothing wider.
      (self.left, error) = choice(.f32)!
    }
  }
}

extension StoredFactor {
  /// The facts at `indices` of a factor whose rows are facts, in the bytes that they are stored in.
  func facts(at indices: [Int]) -> StoredFactor {
    let width = bytes.count / rows
    return StoredFactor(
      dtype: dtype, rows: indices.count, columns: columns,
      bytes: indices.flatMap { bytes[$0 * width..<($0 + 1) * width] },
      exponents: exponents.map { exponents in indices.map { exponents[$0] } })
  }
}
