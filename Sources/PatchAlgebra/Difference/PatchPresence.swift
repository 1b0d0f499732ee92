import CheckpointLedger
import LinearAlgebra
import Safetensors
import Tensors
import WeightPatch

/// Whether a patch, or a set of patches, is in a checkpoint: by its ledger, by the digests that the patches record, or
/// by comparing with the base.
public struct PatchPresence: Sendable {
  public enum Verdict: String, Sendable {
    /// All of it.
    case applied
    /// Some of its batches, or some of its tensors.
    case partly
    case notApplied = "not_applied"
    /// There is no ledger, and the tensors are neither the patch's base nor its result.
    case unknown
  }

  /// What a tensor that the patch edits holds.
  public enum TensorState: Sendable {
    /// What the ledger says: its base plus the batches of the ledger.
    case asRecorded
    /// Neither that: it was changed after the last apply or revert.
    case changedSinceApply
    /// The patch's base, or that of `--base`: the patch is not in it.
    case base
    /// What the patches give on their base, or on that of `--base`, without others.
    case result
    /// Something else. With a base, how it lies to the patch's change D, for the difference X to the base.
    case other(Projection?)
    case missing
    /// Not the shape that the patch edits.
    case reshaped
    /// Not the type that the patch edits; and whether its values, converted, are those of the base.
    case retyped(found: DType, expected: DType, isBase: Bool)
  }

  /// How much of D is in a difference X.
  public struct Projection: Sendable {
    /// <X, D> / <D, D>: 1 if X is D and something that has nothing to do with it.
    public let share: Double
    /// norm(X - D) / norm(D).
    public let distance: Double
  }

  public let verdict: Verdict
  /// Whether the checkpoint has a ledger, which then decides.
  public let hasLedger: Bool
  /// For every batch of the patches the applied patches that carry it; none without a ledger.
  public let batches: [(digest: Digest, carriers: [Ledger.Entry])]
  /// For every fact of the patches the applied patches that carry it, in this batch or another; none without a ledger.
  public let facts: [(fact: Manifest.Fact, carriers: [Ledger.Entry])]
  /// Every tensor that the patches edit, in order of name.
  public let tensors: [(name: ByteString, state: TensorState)]

  /// Whether the ledger can be believed.
  public var isIntact: Bool {
    !tensors.contains {
      if case .changedSinceApply = $0.state { true } else { false }
    }
  }

  /// - Parameters:
  ///   - files: the patches, which are looked for as one set.
  ///   - base: the checkpoint without any patch, for one that has no ledger.
  ///   - progress: is told after every tensor how many bytes are done, of how many. May throw to stop.
  /// - Throws: an `ErrataError` if files cannot be read, or if the base does not have the tensors.
  public init(
    of files: [PatchFile], in state: CheckpointState, base: Checkpoint? = nil,
    progress: (_ done: Int, _ total: Int) throws -> Void = { _, _ in }
  ) throws {
    let checkpoint = state.checkpoint
    let set = BatchSet(files)
    hasLedger = state.isEdited
    let names = Set(files.flatMap { $0.manifest.base.tensors.keys }).sorted()
    let total = try names.filter(checkpoint.contains).reduce(0) { try $0 + checkpoint.tensor(named: $1).info.byteCount }
    var done = 0
    tensors = try names.map { name in
      guard checkpoint.contains(name) else { return (name, .missing) }
      let tensor = try checkpoint.tensor(named: name)
      let editors = files.filter { $0.manifest.base.tensors[name] != nil }
      let found: TensorState =
        state.isEdited
        ? Self.state(of: tensor, recorded: state.ledger.tensors[name], editors)
        : try Self.state(of: tensor, editors, set, base: base)
      done += tensor.info.byteCount
      try progress(done, total)
      return (name, found)
    }
    guard state.isEdited else {
      (batches, facts) = ([], [])
      verdict = Self.verdict(tensors.map(\.state))
      return
    }
    let applied = zip(state.ledger.patches, state.patches.map(\.manifest))
    batches = files.flatMap(\.manifest.batches).map { batch in
      (batch.digest, applied.filter { $1.batches.contains { $0.digest == batch.digest } }.map(\.0))
    }
    facts = files.flatMap(\.manifest.batches).flatMap(\.facts).map { fact in
      let identifier = fact.identifier
      let carriers = applied.filter { _, manifest in
        manifest.batches.contains { $0.facts.contains { $0.identifier == identifier } }
      }
      return (fact, carriers.map(\.0))
    }
    let present = batches.count { !$0.carriers.isEmpty }
    verdict = present == batches.count ? .applied : present > 0 ? .partly : .notApplied
  }

  private static func verdict(_ states: [TensorState]) -> Verdict {
    var (bases, results, others) = (0, 0, 0)
    for state in states {
      switch state {
      case .base: bases += 1
      case .result: results += 1
      default: others += 1
      }
    }
    if results == states.count { return .applied }
    if bases == states.count { return .notApplied }
    return results > 0 ? .partly : .unknown
  }

  /// - Parameter editors: those of the patches that edit the tensor.
  private static func state(
    of tensor: StoredTensor, recorded: Ledger.TensorState?, _ editors: [PatchFile]
  ) -> TensorState {
    let found = tensor.digest()
    if let recorded { return found == recorded.current ? .asRecorded : .changedSinceApply }
    return isBase(found, tensor.name, editors) ? .base : .other(nil)
  }

  private static func isBase(_ digest: Digest, _ tensor: ByteString, _ editors: [PatchFile]) -> Bool {
    editors.allSatisfy { $0.manifest.base.tensors[tensor]!.digest == digest }
  }

  private static func state(
    of tensor: StoredTensor, _ editors: [PatchFile], _ set: BatchSet, base: Checkpoint?
  ) throws -> TensorState {
    let described = editors[0].manifest.base.tensors[tensor.name]!
    guard tensor.shape == described.shape else { return .reshaped }
    guard tensor.dtype == described.dtype else {
      return .retyped(
        found: tensor.dtype, expected: described.dtype,
        isBase: tensor.dtype.isWeightType && tensor.digest(convertedTo: described.dtype) == described.digest)
    }
    let found = tensor.digest()
    // What a patch records is what it gives without the others.
    if editors.count == 1, found == editors[0].manifest.result?[tensor.name] { return .result }
    if isBase(found, tensor.name, editors) { return .base }
    guard let base else { return .other(nil) }
    let pristine = try base.tensor(named: tensor.name)
    guard pristine.dtype == tensor.dtype, pristine.shape == tensor.shape else {
      throw ErrataError.retypedTensor(base.path, editors[0].path, pristine.info, tensor.info)
    }
    if found == pristine.digest() { return .base }
    if found == (try? set.digest(of: pristine)) { return .result }
    return .other(Projection(of: tensor, from: pristine, on: try set.factors(of: tensor.name)))
  }
}

extension PatchPresence.Projection {
  /// nil if the patch has no terms for the tensor, or if a value is not finite.
  fileprivate init?(of tensor: StoredTensor, from base: StoredTensor, on factors: [LowRankFactors]) {
    let factors = factors.filter { $0.rank > 0 }
    guard let first = factors.first else { return nil }
    let left = Matrix(stacking: factors.map { $0.leftValues()!.widened().transposed() }, columns: first.outputSize)
    let right = Matrix(stacking: factors.map { $0.rightValues()!.widened() }, columns: first.inputSize)
    let (rows, columns) = first.isTransposed ? (right, left) : (left, right)
    let difference = DifferenceMatrix(from: base, to: tensor)
    // <X, D> = tr(B X^T A), and norm(X - D)^2 = norm(X)^2 - 2 <X, D> + norm(D)^2.
    let seen = difference.multiplied(by: columns.transposed())
    let product = zip(seen.elements, rows.transposed().elements).reduce(0) { $0 + $1.0 * $1.1 }
    let norm = FactoredChange(left: rows.transposed(), right: columns).norm
    let whole = DifferenceFigures(difference).norm
    guard norm > 0, product.isFinite, whole.isFinite else { return nil }
    share = product / (norm * norm)
    distance = max(whole * whole - 2 * product + norm * norm, 0).squareRoot() / norm
  }
}
