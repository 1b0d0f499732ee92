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

  /// Reads both checkpoints, one tensor after the other; the memory that maps them is let go.
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
    for (name, other) in pairing.pairs {
      let (old, new) = (try before.tensor(named: name), try after.tensor(named: other))
      if let change = Self.change(from: old, to: new, rule: rule, rankLimit: rankLimit) {
        var matrixCount = 0
        if case .weights = change { matrixCount = DifferenceMatrix(from: old, to: new).matrices.count }
        differences.append(TensorDifference(name: name, change: change, matrixCount: matrixCount))
      } else {
        identical += 1
      }
      done += old.info.byteCount
      try progress(done, total)
    }
    self.differences = differences.sorted { $0.name < $1.name }
    self.pairing = pairing
    identicalCount = identical
  }

  /// How two tensors of one name differ; nil if they do not.
  private static func change(
    from before: StoredTensor, to after: StoredTensor, rule: NumericalRank.Rule, rankLimit: Int
  ) -> Change? {
    guard before.dtype == after.dtype, before.shape == after.shape else {
      return .retyped(from: before.info, to: after.info, values: before.retyping(to: after))
    }
    let changed = before.countOfBytesThatDiffer(from: after)
    guard changed > 0 else { return nil }
    guard before.dtype.isWeightType else { return .bytes(changed: changed) }
    let difference = DifferenceMatrix(from: before, to: after)
    let figures = DifferenceFigures(difference)
    guard figures.norm.isFinite else { return .weights(figures, rank: nil) }
    let matrices = difference.matrices
    let ranks = matrices.map { matrix in
      let own = matrices.count == 1 ? figures : DifferenceFigures(matrix)
      return rank(of: matrix, own, rule: rule, limit: rankLimit)
    }
    guard !ranks.contains(where: { $0 == nil }) else { return .weights(figures, rank: nil) }
    return .weights(figures, rank: ranks.compactMap(\.self).max { $0.value < $1.value })
  }

  private static func rank(
    of difference: DifferenceMatrix, _ figures: DifferenceFigures, rule: NumericalRank.Rule, limit: Int
  ) -> NumericalRank? {
    let found = try? LeadingSingularVectors(of: difference, limit: limit) {
      NumericalRank.needed($0, of: figures, rule: rule) != nil
    }
    return found.map { NumericalRank($0.values, isComplete: $0.isComplete, of: figures, rule: rule) }
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
