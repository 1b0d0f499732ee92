import Tensors

/// The edit batches on a checkpoint: a set, in which a batch that two patches carry counts once.
struct BatchSet: Sendable {
  /// A batch in the file that it came in.
  struct Member: Sendable {
    let digest: Digest
    let file: PatchFile
    let index: Int
    let weights: [ByteString]
    /// Those for which it has a correction.
    let correctedWeights: Set<ByteString>
  }

  /// In ascending order of digest, the order in which exact apply adds them up.
  let members: [Member]
  let digests: Set<Digest>
  /// Per tensor the places in `members` of those that edit it.
  private let editors: [ByteString: [Int]]

  init(_ files: [PatchFile]) {
    var found: [Digest: Member] = [:]
    for file in files {
      for (index, batch) in file.manifest.batches.enumerated() where found[batch.digest] == nil {
        found[batch.digest] = Member(
          digest: batch.digest, file: file, index: index, weights: file.weights(ofBatch: index),
          correctedWeights: Set(file.correctedWeights(ofBatch: index)))
      }
    }
    digests = Set(found.keys)
    members = found.values.sorted { $0.digest < $1.digest }
    editors = members.enumerated().reduce(into: [:]) { editors, member in
      for weight in member.element.weights { editors[weight, default: []].append(member.offset) }
    }
  }

  /// The batches that edit a tensor, in order.
  func members(editing tensor: ByteString) -> [Member] { editors[tensor, default: []].map { members[$0] } }

  /// The factors of every batch that edits the tensor, in the order of exact apply, read from the patches.
  ///
  /// - Parameter known: factors that are in memory already, by batch.
  /// - Throws: an `ErrataError` if a patch was damaged since it was opened.
  func factors(of tensor: ByteString, known: [Digest: LowRankFactors] = [:]) throws -> [(Digest, LowRankFactors)] {
    try members(editing: tensor).map { member in
      (member.digest, try known[member.digest] ?? member.file.factors(of: tensor, inBatch: member.index)!)
    }
  }

  /// How many bytes `factors` reads.
  func factorByteCount(of tensor: ByteString) -> Int {
    members(editing: tensor).reduce(0) { $0 + $1.file.factorByteCount(of: tensor, inBatch: $1.index) }
  }

  var tensors: Set<ByteString> { Set(editors.keys) }

  /// The tensors whose factors are not the same in both sets.
  func tensorsThatDiffer(from other: BatchSet) -> Set<ByteString> {
    let differing = digests.symmetricDifference(other.digests)
    return (members + other.members).filter { differing.contains($0.digest) }.reduce(into: []) {
      $0.formUnion($1.weights)
    }
  }
}
