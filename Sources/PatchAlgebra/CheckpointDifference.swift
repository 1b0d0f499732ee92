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
    /// Not the same dtype or shape: there is no difference to measure.
    case retyped(from: TensorInfo, to: TensorInfo)
    /// Other bytes, of a dtype that is no weight type; with the number of bytes that differ.
    case bytes(changed: Int)
    /// Other weights. The rank is nil for what is not a matrix, and for values that are not finite.
    case weights(DifferenceFigures, rank: NumericalRank?)
  }

  public struct TensorDifference: Sendable {
    public let name: ByteString
    public let change: Change
  }

  /// In order of name.
  public let differences: [TensorDifference]
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
    let names = Set(before.tensorNames).union(after.tensorNames).sorted()
    let shared = names.filter { before.contains($0) && after.contains($0) }
    let total = try shared.reduce(0) { try $0 + before.tensor(named: $1).info.byteCount }
    var (done, identical) = (0, 0)
    var differences: [TensorDifference] = []
    for name in names {
      guard before.contains(name), after.contains(name) else {
        differences.append(TensorDifference(name: name, change: before.contains(name) ? .removed : .added))
        continue
      }
      let (old, new) = (try before.tensor(named: name), try after.tensor(named: name))
      if let change = Self.change(from: old, to: new, rule: rule, rankLimit: rankLimit) {
        differences.append(TensorDifference(name: name, change: change))
      } else {
        identical += 1
      }
      done += old.info.byteCount
      try progress(done, total)
    }
    self.differences = differences
    identicalCount = identical
  }

  /// How two tensors of one name differ; nil if they do not.
  private static func change(
    from before: StoredTensor, to after: StoredTensor, rule: NumericalRank.Rule, rankLimit: Int
  ) -> Change? {
    guard before.dtype == after.dtype, before.shape == after.shape else {
      return .retyped(from: before.info, to: after.info)
    }
    let changed = before.countOfBytesThatDiffer(from: after)
    guard changed > 0 else { return nil }
    guard before.dtype.isWeightType else { return .bytes(changed: changed) }
    let difference = DifferenceMatrix(from: before, to: after)
    let figures = DifferenceFigures(difference)
    return .weights(figures, rank: rank(of: difference, figures, rule: rule, limit: rankLimit))
  }

  private static func rank(
    of difference: DifferenceMatrix, _ figures: DifferenceFigures, rule: NumericalRank.Rule, limit: Int
  ) -> NumericalRank? {
    guard difference.before.shape.extents.count == 2, figures.norm.isFinite else { return nil }
    let found = try? LeadingSingularVectors(of: difference, limit: limit) {
      NumericalRank.needed($0, of: figures, rule: rule) != nil
    }
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
