import PatchAlgebra
import Tensors
import WeightPatch

extension LowRankAdapter {
  /// The change of some patches, as an adapter of the base that they were made for.
  ///
  /// - Parameters:
  ///   - patches: a batch that two of them carry counts once.
  ///   - present: batches that are in the weights already.
  ///   - rank: no module gets more terms; those with more are cut to the nearest change of this rank, by what it does
  ///     at the keys of the facts (`CompactionNorm.facts`) where all terms are facts, else by its Frobenius norm.
  /// - Throws: an `ErrataError` if a patch has corrections, changes what is no linear map of a block, or does not fit.
  package init(
    _ patches: [PatchFile], for base: AdapterBase, without present: Set<Digest> = [], rank: Int? = nil
  ) throws {
    var sums: [Int: PatchSum] = [:]
    for (file, index) in Self.batches(patches) where !present.contains(file.manifest.batches[index].digest) {
      let isOfFacts = file.manifest.batches[index].terms == .facts
      for factors in file.patch.batches[index].tensors {
        guard let target = base.target(tensor: factors.name) else {
          throw ErrataError.notForAdapters(file.path, factors.name)
        }
        guard factors.correction == nil else { throw ErrataError.correctionInAdapter(file.path, factors.name) }
        guard factors.shape == target.shape else {
          throw ErrataError.adapterShape(
            file.path, factors.name.description, found: factors.shape, wanted: target.shape)
        }
        if factors.rank > 0 { sums[target.position, default: PatchSum()].append(factors, target, isOfFacts) }
      }
    }
    self.init(try sums.map { position, sum in try sum.module(base.targets[position], rank: rank) })
  }

  /// Every batch once, in the order of exact apply.
  private static func batches(_ patches: [PatchFile]) -> [(PatchFile, Int)] {
    var found: [Digest: (PatchFile, Int)] = [:]
    for file in patches {
      for (index, batch) in file.manifest.batches.enumerated() where found[batch.digest] == nil {
        found[batch.digest] = (file, index)
      }
    }
    return found.sorted { $0.key < $1.key }.map(\.value)
  }
}

/// What some batches do to one tensor, side by side.
private struct PatchSum {
  private var left: [Matrix<Float>] = []
  private var right: [Matrix<Float>] = []
  /// G of each batch; nil as soon as one has none.
  private var grams: [Matrix<Double>]? = []

  mutating func append(_ factors: LowRankFactors, _ target: AdapterBase.Target, _ isOfFacts: Bool) {
    // A patch that was read has finite values.
    let (left, right) = (factors.leftValues()!, factors.rightValues()!)
    // The difference of two checkpoints does not know how a tensor is used; the architecture does.
    let isTurned = target.isTransposed && !factors.isTransposed
    self.left.append(isTurned ? right.transposed() : left)
    self.right.append(isTurned ? left.transposed() : right)
    if isOfFacts, !isTurned, let gram = factors.gram { grams?.append(gram) } else { grams = nil }
  }

  func module(_ target: AdapterBase.Target, rank: Int?) throws -> LowRankAdapter.Module {
    let right = Matrix(
      rows: self.right.reduce(0) { $0 + $1.rows }, columns: target.inputSize, elements: self.right.flatMap(\.elements))
    let turned = self.left.flatMap { $0.transposed().elements }
    let left = Matrix(rows: right.rows, columns: target.outputSize, elements: turned).transposed()
    let whole = LowRankAdapter.Module(target: target, left: left, right: right)
    guard let rank, rank < right.rows else { return whole }
    let cut = try nearestChange(of: rank, left: left, right: right, gram: grams.map(blockDiagonal))
    return LowRankAdapter.Module(target: target, left: cut.left.narrowed(), right: cut.right.narrowed())
  }

  /// What facts of one batch are to those of another is left out: that is known of no two files.
  private func blockDiagonal(_ blocks: [Matrix<Double>]) -> Matrix<Double> {
    let size = blocks.reduce(0) { $0 + $1.rows }
    var result = Matrix<Double>(rows: size, columns: size)
    var start = 0
    for block in blocks {
      for row in 0..<block.rows {
        for column in 0..<block.columns { result[start + row, start + column] = block[row, column] }
      }
      start += block.rows
    }
    return result
  }
}
