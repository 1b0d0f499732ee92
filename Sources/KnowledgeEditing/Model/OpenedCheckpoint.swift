import CheckpointLedger
import Safetensors
import Tensors
import WeightPatch

/// A checkpoint, opened once for everything that is done with it: nobody else changes it as long as this value lives.
///
/// Opening reads the headers of its weight files. What its ledger says and the model that computes with its weights are
/// read when they are first asked for, and kept; so is what a tensor held before any patch.
///
///     let checkpoint = try OpenedCheckpoint(path: "SmolLM2-135M")
///     try checkpoint.state().isEdited
///     try checkpoint.model().decoder.architecture
///
/// Not thread-safe, as the decoder is not.
public final class OpenedCheckpoint {
  private let locked: LockedCheckpoint
  private let notice: (String) -> Void
  private var knownState: CheckpointState?
  private var knownModel: LanguageModel?
  /// What undo records led back to.
  private var recoveredBases: [ByteString: [UInt8]] = [:]

  /// - Parameter notice: is told, in lines for people, if an interrupted change of the checkpoint was repaired first,
  ///   and what is to be said of the model when it is opened.
  /// - Throws: an `ErrataError`, as `LockedCheckpoint`.
  public init(path: String, notice: @escaping (String) -> Void = { _ in }) throws {
    self.notice = notice
    locked = try LockedCheckpoint(path: path, notice: notice)
  }

  /// As it was named.
  public var path: String { checkpoint.path }
  public var checkpoint: Checkpoint { locked.checkpoint }

  /// What its ledger says of it.
  ///
  /// - Throws: an `ErrataError` if the ledger or a patch in it is damaged, or if they contradict each other.
  public func state() throws -> CheckpointState {
    if let knownState { return knownState }
    let state = try CheckpointState(locked)
    knownState = state
    return state
  }

  /// What computes with its weights: as they are stored, until others are put in their place.
  ///
  /// - Throws: an `ErrataError` if the directory lacks a part, or if the architecture is not supported.
  public func model() throws -> LanguageModel {
    if let knownModel { return knownModel }
    let model = try Profile.measure("open the model") { try LanguageModel(locked, notice: notice) }
    knownModel = model
    return model
  }

  // MARK: - The base

  /// Calls `body` with a tensor's bytes without any patch: the stored ones, or what its undo record leads to.
  ///
  /// - Throws: an `ErrataError` if the undo record does not lead to the base; what `body` throws.
  func withBase<Result>(of name: ByteString, _ body: (UnsafeRawBufferPointer) throws -> Result) throws -> Result {
    guard try state().ledger.tensors[name] != nil else {
      let tensor = try checkpoint.tensor(named: name)
      return try withExtendedLifetime(tensor) { try body(tensor.bytes) }
    }
    if recoveredBases[name] == nil { recoveredBases[name] = try withoutPatches().result(of: name) }
    return try recoveredBases[name]!.withUnsafeBytes(body)
  }

  /// The digest of a tensor without any patch.
  func baseDigest(of name: ByteString) throws -> Digest {
    let state = try state()
    return try state.ledger.tensors[name]?.base ?? state.digests(of: [name])[name]!
  }

  /// Leads back to the base.
  private func withoutPatches() throws -> StatePlan {
    let state = try state()
    return try state.planRevert(Set(state.ledger.patches.map(\.patch)))
  }
}
