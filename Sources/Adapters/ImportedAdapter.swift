import LinearAlgebra
import PatchAlgebra
import Safetensors
import Tensors
import WeightPatch

/// An adapter as a patch of its base: its terms are components, of which no one is a fact's.
///
/// A scale that is a power of two goes into the factors exactly; another one rounds them once, to float32.
package struct ImportedAdapter: Sendable {
  package let manifest: Manifest
  package let batch: EditBatch
  /// In the patch's order.
  package let modules: [Module]

  /// What became of a module.
  package struct Module: Sendable {
    package let tensor: ByteString
    package let name: String
    package let rank: Int
    package let scale: Double
    /// |D - D'| / |D'|, Frobenius, where D' is the adapter's change: 0 where float32 holds its factors and the scale is
    /// a power of two; at most this where both round.
    package let error: Double
    package let storage: String
  }

  /// - Parameters:
  ///   - adapter: what it says of each module; those that change nothing are left out.
  ///   - base: the checkpoint that it is for, without patches.
  ///   - path: from where it was read.
  /// - Throws: an `ErrataError` if nothing is left, if factors leave the range of float32, or if the base would
  ///   overflow.
  package init(_ adapter: LowRankAdapter, for base: AdapterBase, path: String) throws {
    let used = adapter.withoutZeros
    let record = try AdapterFile.record(path, adapter)
    guard !used.modules.isEmpty else { throw ErrataError.adapterChangesNothing(path) }
    let scaled = try used.withScalesOfOne()
    let factors = scaled.modules.map(\.factors)
    batch = EditBatch(tensors: factors)
    let errors = scaled.differences(from: used)
    modules = zip(zip(used.modules, errors), factors).map { pair, factors in
      Module(
        tensor: pair.0.target.tensor, name: pair.0.target.module, rank: pair.0.rank, scale: pair.0.scale,
        error: pair.0.readingError + pair.1, storage: factors.storage)
    }
    var tensors: [ByteString: Manifest.BaseTensor] = [:]
    var results: [ByteString: Digest] = [:]
    var figures: [ByteString: Manifest.TensorFigures] = [:]
    let set = BatchSet([batch])
    for (module, factors) in zip(modules, factors) {
      let stored = try base.checkpoint.tensor(named: factors.name)
      tensors[factors.name] = Manifest.BaseTensor(
        dtype: stored.dtype, shape: stored.shape, isTransposed: factors.isTransposed, digest: stored.digest())
      results[factors.name] = try set.digest(of: stored)
      figures[factors.name] = Manifest.TensorFigures(
        layer: base.target(tensor: factors.name)!.layer, deltaNorm: factors.deltaNorm(using: .blas),
        weightNorm: try stored.matrix().widened().frobeniusNorm, deltaError: module.error)
      if module.scale != record.scaling { figures[factors.name]!.scaling = module.scale }
    }
    let layers = Set(used.modules.map(\.target.layer)).sorted()
    var description = Manifest.Batch(
      terms: .components, method: Manifest.Method(name: Self.method, lambda: 0, layers: layers), facts: [],
      tensors: figures)
    description.adapter = record
    manifest = Manifest(
      created: "", tool: Manifest.Tool(name: "", version: ""), base: try base.checkpoint.describe(tensors),
      result: results, batches: [description])
  }

  /// The name of its method.
  package static let method = "lora"

  /// - Returns: the patch as it was written.
  package func write(to path: String, origin: PatchOrigin) throws -> Patch {
    try PatchWriter.write(manifest.made(by: origin), batches: [batch], to: path)
  }
}

extension LowRankAdapter {
  fileprivate var withoutZeros: LowRankAdapter { LowRankAdapter(modules.filter { !$0.isZero && $0.scale != 0 }) }

  fileprivate func withScalesOfOne() throws -> LowRankAdapter {
    let scaled = LowRankAdapter(modules.map(\.scaledIn))
    for module in scaled.modules where !module.left.elements.allSatisfy(\.isFinite) {
      throw ErrataError.adapterOutOfRange(module.target.tensor, .f32)
    }
    return scaled
  }

  /// Its change as one batch of components; see `ImportedAdapter`.
  ///
  /// - Throws: an `ErrataError` if factors leave the range of float32.
  package func batch() throws -> EditBatch {
    EditBatch(tensors: try withoutZeros.withScalesOfOne().modules.map(\.factors))
  }
}

extension LowRankAdapter.Module {
  /// The same with a scale of one.
  fileprivate var scaledIn: LowRankAdapter.Module {
    var result = self
    let scale = scale
    result.left = Matrix(
      rows: left.rows, columns: left.columns, elements: left.elements.map { Float(Double($0) * scale) })
    result.scale = 1
    return result
  }

  /// As a patch stores them: in the narrowest type that holds them exactly.
  fileprivate var factors: LowRankFactors {
    func stored(_ matrix: Matrix<Float>, _ facts: FactAxis) -> StoredFactor {
      let narrow = StoredFactor(matrix, dtype: .f16, facts: facts)
      return narrow.values(facts: facts).map { $0 == matrix } == true
        ? narrow : StoredFactor(matrix, dtype: .f32, facts: facts)
    }
    return LowRankFactors(
      name: target.tensor, isTransposed: target.isTransposed, left: stored(left, .columns), right: stored(right, .rows))
  }
}
