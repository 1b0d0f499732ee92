import CheckpointLedger
import Foundation
import LinearAlgebra
import Safetensors
import Tensors

/// Which tensors of two checkpoints differ, and by how much.
public struct CheckpointDifference: Sendable {
  public enum Change: Sendable {
    /// Only the second has it.
    case added
    /// Only the first has it.
    case removed
    /// Not the same dtype or shape: there is no difference to measure. Where only the dtype differs, how the values do.
    case retyped(from: TensorInfo, to: TensorInfo, values: Retyping?)
    /// Other bytes, of a dtype that is no weight type; with the number of bytes that differ.
    case bytes(changed: Int)
    /// Other weights. The rank is nil for what is not a matrix, and for values that are not finite; that of a stack of
    /// matrices is the largest of theirs.
    case weights(DifferenceFigures, rank: NumericalRank?)
  }

  public struct TensorDifference: Sendable {
    /// As the first has it, or the second, if only that does.
    public let name: ByteString
    public let change: Change
    /// How many matrices a tensor of weights is: one, or as many as are stacked; 0 for a vector, and for what is no
    /// weights.
    public let matrixCount: Int

    init(name: ByteString, change: Change, matrixCount: Int = 0) {
      self.name = name
      self.change = change
      self.matrixCount = matrixCount
    }
  }

  /// In order of name.
  public let differences: [TensorDifference]
  /// Which tensors were compared with which.
  public let pairing: TensorPairing
  /// How many tensors have the same dtype, shape and bytes.
  public let identicalCount: Int

  /// Reads both checkpoints; the memory that maps them is let go.
  ///
  /// - Parameters:
  ///   - rule: what counts towards a rank.
  ///   - rankLimit: how far a rank is sought in matrices that are too large to be decomposed as a whole.
  ///   - progress: is told after every tensor how many bytes are done, of how many. May throw to stop.
  /// - Throws: an `ErrataError` if files cannot be read.
  public init(
    from before: Checkpoint, to after: Checkpoint, rule: NumericalRank.Rule = .rounding, rankLimit: Int = 256,
    progress: (_ done: Int, _ total: Int) throws -> Void = { _, _ in }
  ) throws {
    let pairing = TensorPairing(before, after)
    let total = try pairing.pairs.reduce(0) { try $0 + before.tensor(named: $1.first).info.byteCount }
    var (done, identical) = (0, 0)
    var differences =
      pairing.onlyInFirst.map { TensorDifference(name: $0, change: .removed) }
      + pairing.onlyInSecond.map { TensorDifference(name: $0, change: .added) }
    var changed: [(name: ByteString, before: StoredTensor, after: StoredTensor)] = []
    for (name, other) in pairing.pairs {
      let (old, new) = (try before.tensor(named: name), try after.tensor(named: other))
      if old.isIdentical(to: new) {
        identical += 1
      } else if old.dtype != new.dtype || old.shape != new.shape {
        let change = Change.retyped(from: old.info, to: new.info, values: old.retyping(to: new))
        differences.append(TensorDifference(name: name, change: change))
      } else if old.dtype.isWeightType {
        changed.append((name, old, new))
        continue
      } else {
        differences.append(
          TensorDifference(name: name, change: .bytes(changed: old.countOfBytesThatDiffer(from: new))))
      }
      done += old.info.byteCount
      try progress(done, total)
    }
    // Weights that differ take the time: a thread for each of them, or all threads for one.
    for start in stride(from: 0, to: changed.count, by: Threads.count) {
      let group = Array(changed[start..<min(start + Threads.count, changed.count)])
      differences += try Threads.map(group.indices) { index in
        let (name, old, new) = group[index]
        return Threads.withCount(group.count == 1 ? Threads.count : 1) {
          TensorDifference(weights: name, from: old, to: new, rule: rule, rankLimit: rankLimit)
        }
      }
      for tensor in group {
        done += tensor.before.info.byteCount
        try progress(done, total)
      }
    }
    self.differences = differences.sorted { $0.name < $1.name }
    self.pairing = pairing
    identicalCount = identical
  }

  /// Whether the two have the same tensors but for their dtypes: every difference is of values that are the same, or
  /// that were rounded.
  public var isOnlyOfType: Bool {
    !differences.isEmpty
      && differences.allSatisfy {
        guard case .retyped(_, _, let values?) = $0.change else { return false }
        return values != .otherValues
      }
  }
}

extension CheckpointDifference.TensorDifference {
  /// How the weights of two tensors of one dtype and shape differ.
  fileprivate init(
    weights name: ByteString, from before: StoredTensor, to after: StoredTensor, rule: NumericalRank.Rule,
    rankLimit: Int
  ) {
    let difference = DifferenceMatrix(from: before, to: after)
    let (figures, matrices) = (DifferenceFigures(difference), difference.matrices)
    var rank: NumericalRank?
    if figures.norm.isFinite {
      let ranks = matrices.map { matrix in
        let own = matrices.count == 1 ? figures : DifferenceFigures(matrix)
        return Self.rank(of: matrix, own, rule: rule, limit: rankLimit)
      }
      let found = ranks.compactMap(\.self)
      rank = found.count == ranks.count ? found.max { $0.value < $1.value } : nil
    }
    self.init(name: name, change: .weights(figures, rank: rank), matrixCount: matrices.count)
  }

  private static func rank(
    of difference: DifferenceMatrix, _ figures: DifferenceFigures, rule: NumericalRank.Rule, limit: Int
  ) -> NumericalRank? {
    let found = try? LeadingSingularVectors(of: difference, figures, rule: rule, limit: limit)
    return found.map { NumericalRank($0.values, isComplete: $0.isComplete, of: figures, rule: rule) }
  }
}

extension StoredTensor {
  /// - Precondition: as many bytes.
  func countOfBytesThatDiffer(from other: StoredTensor) -> Int {
    var count = 0
    file.forEachWindow(of: info) { bytes, offset in
      let start = other.info.fileRange.lowerBound + offset
      let others = UnsafeRawBufferPointer(rebasing: other.bytes[offset..<offset + bytes.count])
      if memcmp(bytes.baseAddress!, others.baseAddress!, bytes.count) != 0 {
        for index in 0..<bytes.count where bytes[index] != others[index] { count += 1 }
      }
      other.file.release(start..<start + bytes.count)
    }
    return count
  }
}
