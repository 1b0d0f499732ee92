import Tensors

/// The edit batches on a checkpoint: a set, in which a batch that two patches carry counts once.
struct BatchSet: Sendable {
  /// In ascending order of digest, the order in which exact apply adds them up.
  private let batches: [(digest: Digest, batch: EditBatch)]
  let digests: Set<Digest>

  init(_ patches: [Patch]) {
    var found: [Digest: EditBatch] = [:]
    for patch in patches {
      for (description, batch) in zip(patch.manifest.batches, patch.batches) { found[description.digest] = batch }
    }
    digests = Set(found.keys)
    batches = found.sorted { $0.key < $1.key }.map { (digest: $0.key, batch: $0.value) }
  }

  /// The factors of every batch that edits the tensor, in the order of exact apply.
  func factors(of tensor: ByteString) -> [LowRankFactors] {
    batches.flatMap { $0.batch.tensors.filter { $0.name == tensor } }
  }

  var tensors: Set<ByteString> { Set(batches.flatMap { $0.batch.tensors.map(\.name) }) }

  /// The tensors whose factors are not the same in both sets.
  func tensorsThatDiffer(from other: BatchSet) -> Set<ByteString> {
    let differing = digests.symmetricDifference(other.digests)
    return Set(
      (batches + other.batches).filter { differing.contains($0.digest) }.flatMap { $0.batch.tensors.map(\.name) })
  }
}

extension Patch {
  var batchDigests: Set<Digest> { Set(manifest.batches.map(\.digest)) }
}
