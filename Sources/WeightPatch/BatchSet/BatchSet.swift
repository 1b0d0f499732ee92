import Tensors

/// A set of edit batches. With a pristine base it is the state of a checkpoint (Spec: checkpoint state): a batch that
/// two patches carry counts once, and in what order batches came does not matter.
///
///     let set = BatchSet(try paths.map { try PatchFile(path: $0) })
///     let bytes = try set.applied(to: checkpoint.tensor(named: name))
///
/// What a batch holds stays in the file that it came in until it is asked for.
public struct BatchSet: Sendable {
  /// A batch, in a patch file or in memory.
  public struct Member: Sendable {
    enum Home: Sendable {
      case file(PatchFile, index: Int)
      case memory(EditBatch)
    }

    public let digest: Digest
    /// The tensors that it edits.
    public let tensors: Set<ByteString>
    /// Those for which it has a correction.
    let correctedTensors: Set<ByteString>
    let home: Home

    init(_ file: PatchFile, index: Int) {
      digest = file.manifest.batches[index].digest
      tensors = Set(file.weights(ofBatch: index))
      correctedTensors = Set(file.correctedWeights(ofBatch: index))
      home = .file(file, index: index)
    }

    package init(_ batch: EditBatch, digest: Digest) {
      self.digest = digest
      tensors = Set(batch.tensors.map(\.name))
      correctedTensors = Set(batch.tensors.filter { $0.correction != nil }.map(\.name))
      home = .memory(batch)
    }

    /// nil for a batch in memory.
    var file: PatchFile? {
      if case .file(let file, _) = home { file } else { nil }
    }

    /// What the batch has for a tensor that it edits; from a file without what exact apply does not need.
    ///
    /// - Throws: an `ErrataError` if the file was damaged since it was opened.
    public func factors(of tensor: ByteString) throws -> LowRankFactors {
      switch home {
      case .file(let file, let index): try file.factors(of: tensor, inBatch: index)!
      case .memory(let batch): batch.tensors.first { $0.name == tensor }!
      }
    }

    /// How many bytes `factors` reads.
    fileprivate func factorByteCount(of tensor: ByteString) -> Int {
      if case .file(let file, let index) = home { file.factorByteCount(of: tensor, inBatch: index) } else { 0 }
    }
  }

  /// In ascending order of digest, the order in which exact apply adds them up.
  public let members: [Member]
  public let digests: Set<Digest>
  /// Per tensor the places in `members` of those that edit it.
  private let editors: [ByteString: [Int]]

  /// Of two members with one digest the first stays.
  package init(_ members: [Member]) {
    var found: [Digest: Member] = [:]
    for member in members where found[member.digest] == nil { found[member.digest] = member }
    digests = Set(found.keys)
    self.members = found.values.sorted { $0.digest < $1.digest }
    editors = self.members.enumerated().reduce(into: [:]) { editors, member in
      for tensor in member.element.tensors { editors[tensor, default: []].append(member.offset) }
    }
  }

  /// The batches of some patches.
  public init(_ files: [PatchFile]) {
    self.init(files.flatMap { file in file.manifest.batches.indices.map { Member(file, index: $0) } })
  }

  /// Batches in memory.
  public init(_ batches: [EditBatch]) {
    self.init(batches.map { Member($0, digest: $0.digest()) })
  }

  public func union(_ other: BatchSet) -> BatchSet { BatchSet(members + other.members) }

  /// Every tensor that a batch edits.
  public var tensors: Set<ByteString> { Set(editors.keys) }

  /// The members that edit a tensor, in the order of exact apply.
  public func members(editing tensor: ByteString) -> [Member] { editors[tensor, default: []].map { members[$0] } }

  /// Whether a batch has a correction for a tensor.
  public func corrects(_ tensor: ByteString) -> Bool { members.contains { $0.correctedTensors.contains(tensor) } }

  /// The factors of every batch that edits a tensor, in the order of exact apply.
  ///
  /// - Throws: an `ErrataError` if a patch was damaged since it was opened.
  public func factors(of tensor: ByteString) throws -> [LowRankFactors] {
    try members(editing: tensor).map { try $0.factors(of: tensor) }
  }

  /// How many bytes `factors` reads.
  package func factorByteCount(of tensor: ByteString) -> Int {
    members(editing: tensor).reduce(0) { $0 + $1.factorByteCount(of: tensor) }
  }

  /// The tensors whose factors are not the same in both sets.
  package func tensorsThatDiffer(from other: BatchSet) -> Set<ByteString> {
    let differing = digests.symmetricDifference(other.digests)
    return (members + other.members).filter { differing.contains($0.digest) }.reduce(into: []) {
      $0.formUnion($1.tensors)
    }
  }
}
