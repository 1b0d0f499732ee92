import Foundation
import Safetensors
import Synchronization
import Tensors
import WeightPatch

/// A checkpoint and what its ledger says of it: a pristine base and a set of edit batches (Spec: checkpoint state).
public struct CheckpointState: Sendable {
  /// Empty for a checkpoint without one.
  public let ledger: Ledger
  /// The patches of the ledger, in its order.
  public let patches: [PatchFile]
  /// Of all of them.
  public let batches: BatchSet
  private let locked: LockedCheckpoint
  private let knownDigests = DigestCache()

  public var checkpoint: Checkpoint { locked.checkpoint }
  public var repair: LockedCheckpoint.Repair? { locked.repair }
  var isForWriting: Bool { locked.isForWriting }
  var location: LedgerLocation { locked.location }
  var lock: CheckpointLock { locked.lock }

  /// Opens the checkpoint and reads its ledger and the patches in it; tensors are not read. Until this value goes,
  /// nobody else changes the checkpoint in place.
  ///
  /// - Parameters:
  ///   - path, forWriting, notice: as those of `LockedCheckpoint`.
  ///   - folder: on whose file system the copies of the patches are made that are read: where something will be
  ///     written.
  /// - Throws: an `ErrataError`, as `LockedCheckpoint`; also if the ledger or a patch in it is damaged, or if they
  ///   contradict each other.
  public init(
    path: String, forWriting: Bool = false, near folder: String? = nil, notice: (String) -> Void = { _ in }
  ) throws {
    try self.init(LockedCheckpoint(path: path, forWriting: forWriting, notice: notice), near: folder)
  }

  /// Reads the ledger of a checkpoint that is open already.
  ///
  /// - Throws: an `ErrataError` if the ledger or a patch in it is damaged, or if they contradict each other.
  public init(_ locked: LockedCheckpoint, near folder: String? = nil) throws {
    self.locked = locked
    let location = locked.location
    guard try location.directory.isDirectory() else {
      ledger = Ledger()
      patches = []
      batches = BatchSet(patches)
      return
    }
    ledger = try Ledger(location.manifest.map())
    patches = try ledger.patches.map { try location.openPatch($0.patch, near: folder) }
    batches = BatchSet(patches)
    guard batches.tensors == Set(ledger.tensors.keys) else {
      throw ErrataError.damagedLedger(location.manifest.path, "its tensors are not those that its patches edit")
    }
  }

  /// Whether a patch is applied.
  public var isEdited: Bool { !ledger.patches.isEmpty }

  /// The digests of these tensors as they are now. Reads each tensor the first time that it is asked for: nobody else
  /// changes them meanwhile.
  package func digests(of wanted: Set<ByteString>) throws -> [ByteString: Digest] {
    let names = wanted.filter { knownDigests[$0] == nil }.sorted()
    let tensors = try names.map { try checkpoint.tensor(named: $0) }
    // As many at once as leave work for every thread.
    let share = tensors.count / Threads.count + 1
    let count = min(DigestHasher.messagesAtOnce, share)
    let groups = stride(from: 0, to: tensors.count, by: count).map { $0..<min($0 + count, tensors.count) }
    let digests = try Threads.map(groups.indices) { StoredTensor.digests(of: Array(tensors[groups[$0]])) }
    for (name, digest) in zip(names, digests.joined()) { knownDigests[name] = digest }
    return Dictionary(uniqueKeysWithValues: wanted.map { ($0, knownDigests[$0]!) })
  }

  /// The digests of the tensors without any patch: from the ledger, and otherwise of the bytes themselves.
  ///
  /// - Throws: an `ErrataError` (base mismatch) if a tensor of the ledger is not what the ledger says it is now.
  func baseDigests(of names: Set<ByteString>) throws -> [ByteString: Digest] {
    for name in ledger.tensors.keys.sorted() where !checkpoint.contains(name) {
      throw ErrataError.damagedLedger(location.manifest.path, "the checkpoint has no tensor \"\(name)\"")
    }
    let found = try digests(of: names.union(ledger.tensors.keys))
    let changed = DigestMismatch.all(ledger.tensors.mapValues(\.current)) { found[$0]! }
    guard changed.isEmpty else {
      throw ErrataError.changedSinceApply(checkpoint.path, location.directory.path, changed)
    }
    return found.merging(ledger.tensors.mapValues(\.base)) { _, base in base }
  }
}

private final class DigestCache: Sendable {
  private let digests = Mutex<[ByteString: Digest]>([:])

  subscript(name: ByteString) -> Digest? {
    get { digests.withLock { $0[name] } }
    set { digests.withLock { $0[name] = newValue } }
  }
}
