import Foundation
import LinearAlgebra
import PatchAlgebra
import Tensors

/// Low-rank changes of linear maps that a server adds at run time, y += scale left (right x), in no file format.
///
/// PEFT calls `right` lora_A and `left` lora_B; llama.cpp `lora_a` and `lora_b`. Names and shapes are those of a base,
/// so that an adapter in memory fits it.
package struct LowRankAdapter: Sendable {
  package struct Module: Sendable {
    package let target: AdapterBase.Target
    /// d_out x r.
    package var left: Matrix<Float>
    /// r x d_in.
    package var right: Matrix<Float>
    /// What the product is multiplied by.
    package var scale = 1.0
    /// |D - D'| / |D'|, Frobenius, where D' is the change in the file that it was read from: 0 where float32 holds it.
    package var readingError = 0.0

    package var rank: Int { right.rows }
    /// Whether it changes nothing.
    package var isZero: Bool { left.elements.allSatisfy { $0 == 0 } || right.elements.allSatisfy { $0 == 0 } }
  }

  /// In order of layer and of the maps in it.
  package var modules: [Module]

  /// - Parameter modules: of different tensors.
  package init(_ modules: [Module]) { self.modules = modules.sorted { $0.target.position < $1.target.position } }

  /// The largest of its modules'.
  package var rank: Int { modules.map(\.rank).max() ?? 0 }

  /// The scale that most of its modules have; of several, the smallest. 1 if there are none.
  package var commonScale: Double {
    let counts = Dictionary(grouping: modules, by: \.scale).mapValues(\.count)
    return counts.max { ($0.value, -$0.key) < ($1.value, -$1.key) }?.key ?? 1
  }

  /// With zeros in every module, so that all have one rank: the scale of one file is the same for all of them then (a
  /// GGUF file has one alpha, and vLLM takes no notice of PEFT's patterns).
  package var padded: LowRankAdapter {
    let rank = max(rank, 1)
    return LowRankAdapter(
      modules.map { module in
        var module = module
        module.left = module.left.padded(rows: module.left.rows, columns: rank)
        module.right = module.right.padded(rows: rank, columns: module.right.columns)
        return module
      })
  }

  /// With every term's two vectors of nearly the same norm, so that neither leaves the range of a narrow type: by
  /// powers of two, which rounds nothing.
  package var balanced: LowRankAdapter {
    LowRankAdapter(
      modules.map { module in
        let norms = (module.left.widened().columnNorms(), module.right.widened().transposed().columnNorms())
        var module = module
        for term in 0..<module.rank where norms.0[term] > 0 && norms.1[term] > 0 {
          let power = ((Foundation.log2(norms.1[term]) - Foundation.log2(norms.0[term])) / 2).rounded()
          let (up, down) = (Float(Foundation.exp2(power)), Float(Foundation.exp2(-power)))
          for row in 0..<module.left.rows { module.left[row, term] *= up }
          for column in 0..<module.right.columns { module.right[term, column] *= down }
        }
        return module
      })
  }

  /// With a pair of zeros for every map of the base that has the role of one that it changes: some servers ask for all
  /// of a kind.
  package func coveringAllLayers(of base: AdapterBase) -> LowRankAdapter {
    let (roles, known) = (Set(modules.map(\.target.role)), Set(modules.map(\.target.tensor)))
    let others = base.targets.filter { roles.contains($0.role) && !known.contains($0.tensor) }
    return LowRankAdapter(
      modules
        + others.map {
          Module(
            target: $0, left: Matrix(rows: $0.outputSize, columns: 1), right: Matrix(rows: 1, columns: $0.inputSize))
        })
  }

  /// With its values rounded to a type, to nearest even, and in float32 again.
  ///
  /// - Parameter dtype: `.f32`, `.f16` or `.bf16`.
  /// - Throws: an `ErrataError` if a value leaves the type's range.
  package func rounded(to dtype: DType) throws -> LowRankAdapter {
    LowRankAdapter(
      try modules.map { module in
        var result = module
        result.left = module.left.rounded(to: dtype)
        result.right = module.right.rounded(to: dtype)
        guard (result.left.elements + result.right.elements).allSatisfy(\.isFinite) else {
          throw ErrataError.adapterOutOfRange(module.target.tensor, dtype)
        }
        return result
      })
  }

  /// Per module |D - D'| / |D'|, Frobenius, where D' is that of another adapter of the same modules.
  package func differences(from other: LowRankAdapter) -> [Double] {
    zip(modules, other.modules).map { module, other in
      other.isZero ? 0 : relativeDifference(of: module.scaledProduct, from: other.scaledProduct)
    }
  }
}

extension LowRankAdapter.Module {
  /// Of factors in binary64, which are rounded to float32, and what that changes.
  ///
  /// - Parameters:
  ///   - factors: d_out x r and r x d_in.
  ///   - scale: what their product is multiplied by.
  ///   - whole: what is meant, d_out x d_in, if not their product.
  /// - Throws: an `ErrataError` if a factor leaves the range of float32.
  init(
    target: AdapterBase.Target, rounding factors: (left: Matrix<Double>, right: Matrix<Double>), scale: Double = 1,
    of whole: Matrix<Double>? = nil
  ) throws {
    self.init(target: target, left: factors.left.narrowed(), right: factors.right.narrowed(), scale: scale)
    guard (left.elements + right.elements).allSatisfy(\.isFinite) else {
      throw ErrataError.adapterOutOfRange(target.tensor, .f32)
    }
    let stored = (left: left.widened(), right: right.widened())
    if let whole {
      let norm = whole.frobeniusNorm
      let rest = stored.left.multiplied(by: stored.right).subtracting(whole).frobeniusNorm
      readingError = norm > 0 ? rest / norm : 0
    } else if stored.left.elements != factors.left.elements || stored.right.elements != factors.right.elements {
      readingError = relativeDifference(of: stored, from: factors)
    }
  }

  /// The two factors in binary64, the scale in the first.
  fileprivate var scaledProduct: (left: Matrix<Double>, right: Matrix<Double>) {
    let scale = scale
    let left = self.left.widened()
    return (Matrix(rows: left.rows, columns: left.columns, elements: left.elements.map { $0 * scale }), right.widened())
  }
}

extension Matrix where Element == Float {
  fileprivate func rounded(to dtype: DType) -> Matrix<Float> {
    guard dtype != .f32 else { return self }
    let stored = stored(as: dtype)
    return stored.withUnsafeBytes { Matrix(rows: rows, columns: columns, stored: $0, dtype: dtype) }
  }

  /// Row-major and little-endian, rounded to a type.
  func stored(as dtype: DType) -> [UInt8] {
    withUnsafePointer { narrow(UnsafeBufferPointer(start: $0, count: count), to: dtype) }
  }
}
