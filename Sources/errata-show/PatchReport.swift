import Tensors
import ToolSupport
import WeightPatch

/// What `errata show` knows about a patch: what the manifest says, and what its factors give.
struct PatchReport: Answer {
  let kind = "show.patch"

  let manifest: Manifest
  /// Nil if only the header was read.
  let identifier: Digest?
  let path: String
  let byteCount: Int
  /// What the tensors of each batch take in the file, compressed.
  let batchByteCounts: [Int]
  /// What it does: `10 facts in 3 tensors`.
  let extent: String
  let batches: [BatchFigures]
  /// Not checked: for that it takes keys. Empty if only the header was read.
  let signatures: [PatchSignature]

  init(
    _ patch: Patch, path: String, byteCount: Int, batchByteCounts: [Int], signatures: [PatchSignature] = []
  ) {
    manifest = patch.manifest
    identifier = patch.identifier
    self.path = path
    self.byteCount = byteCount
    self.batchByteCounts = batchByteCounts
    extent = patch.extent
    self.signatures = signatures
    batches = patch.batches.indices.map {
      BatchFigures(patch.batches[$0], patch.manifest.batches[$0], disturbances: patch.disturbances(ofBatch: $0))
    }
  }

  /// From the header alone: the figures are those that the manifest records.
  init(header reader: PatchReader, path: String) {
    manifest = reader.manifest
    identifier = nil
    self.path = path
    byteCount = reader.byteCount
    batchByteCounts = reader.manifest.batches.indices.map(reader.byteCount(ofBatch:))
    extent = reader.extent
    signatures = []
    batches = reader.manifest.batches.enumerated().map {
      BatchFigures(recorded: $1, storage: reader.storage(batch: $0))
    }
  }

  var factCount: Int { manifest.batches.reduce(0) { $0 + $1.facts.count } }
  var listedFacts: [ListedFact] {
    ListedFact.all(in: manifest, patch: identifier, name: String(path.split(separator: "/").last ?? ""))
  }
  /// In the mean, with all that the file holds besides.
  var bytesPerFact: Int? { factCount > 0 ? byteCount / factCount : nil }

  /// What a fact takes in the tensors of a batch; nil if the batch has no facts.
  func bytesPerFact(ofBatch index: Int) -> Int? {
    let count = manifest.batches[index].facts.count
    return count > 0 ? batchByteCounts[index] / count : nil
  }
}

/// What the factors of a batch give, or what the manifest says that they do.
struct BatchFigures {
  struct Tensor {
    let name: ByteString
    /// How the factors are stored, A then B, the keys if the patch carries them, and the correction, if there is one.
    let storage: String
    let deltaNorm: Double?
    /// From the factors, or as the manifest records it where they do not tell.
    let preservation: Double?
    /// Whether that is an upper bound: the patch does not tell what a ridge has in it.
    let isUpperBound: Bool
    /// Per fact; nil where the batch does not answer per fact, or where it was not computed. In it nil where the
    /// factors do not tell.
    let memorization: [Double?]?
    /// The largest.
    let worstMemorization: Double?
    /// What components of other batches do to each fact (`Patch.disturbances(ofBatch:)`); nil if nothing does, or where
    /// only the header was read, and empty if the patch does not tell.
    let disturbance: [Double?]?
    let rank: Int
    /// What the manifest records.
    let recorded: Manifest.TensorFigures?
  }

  let tensors: [Tensor]

  init(_ batch: EditBatch, _ described: Manifest.Batch, disturbances: [ByteString: [Double?]]) {
    tensors = batch.tensors.map { factors in
      let recorded = described.tensors[factors.name]
      let memorization =
        described.terms == .facts ? factors.memorization(slack: described.slack(of: factors.name)) : nil
      return Tensor(
        name: factors.name, storage: factors.wholeStorage, deltaNorm: factors.deltaNorm(),
        preservation: factors.preservation(
          ridge: described.ridge(of: factors.name) ?? 0, metric: described.metric) ?? recorded?.preservation,
        isUpperBound: described.ridge(of: factors.name) == nil, memorization: memorization,
        worstMemorization: memorization.map { $0.compactMap(\.self).max() } ?? recorded?.memorization,
        disturbance: disturbances[factors.name], rank: factors.rank, recorded: recorded)
    }
  }

  init(recorded described: Manifest.Batch, storage: [(weight: ByteString, storage: String, rank: Int)]) {
    tensors = storage.map { weight, storage, rank in
      let figures = described.tensors[weight]
      return Tensor(
        name: weight, storage: storage, deltaNorm: figures?.deltaNorm,
        preservation: figures?.preservation, isUpperBound: described.ridge(of: weight) == nil, memorization: nil,
        worstMemorization: figures?.memorization, disturbance: nil,
        rank: rank, recorded: figures)
    }
  }

  /// Whether components beside the facts change what they change.
  var isDisturbed: Bool { tensors.contains { $0.disturbance != nil } }

  /// Whether some of that is not known, for want of keys.
  var hasUnknownDisturbance: Bool { tensors.contains { $0.disturbance?.isEmpty == true } }

  /// What others do to fact `index`, in the tensor where that is worst.
  func disturbance(ofFact index: Int) -> Double? {
    tensors.compactMap { ($0.disturbance ?? []).isEmpty ? nil : $0.disturbance![index] }.max()
  }

  /// What fact `index` falls short of, in the tensor where that is worst.
  func shortfall(ofFact index: Int) -> Double? { tensors.compactMap { $0.memorization?[index] ?? nil }.max() }
}

extension PatchReport {
  /// The answer of `--json`: the manifest as it stands, and beside it what it does not hold.
  var json: JSON {
    [
      "file": JSON(path), "patch": JSON(identifier), "bytes": .integer(byteCount),
      "bytes_per_fact": JSON(bytesPerFact),
      "costs": .array(
        batchByteCounts.indices.map { index in
          [
            "bytes": .integer(batchByteCounts[index]),
            "bytes_per_fact": JSON(bytesPerFact(ofBatch: index)),
          ]
        }),
      "manifest": manifest.json,
      "header_only": .bool(identifier == nil), "figures": .array(batches.map(\.json)),
      "signatures": .array(signatures.map(\.json)),
    ]
  }
}

extension BatchFigures {
  fileprivate var json: JSON {
    var object = JSONObject()
    for tensor in tensors {
      object[tensor.name] = [
        "storage": JSON(tensor.storage), "delta_norm": JSON(tensor.deltaNorm),
        "preservation": JSON(tensor.preservation), "preservation_is_upper_bound": .bool(tensor.isUpperBound),
        "memorization": tensor.memorization.map { .array($0.map { JSON($0) }) } ?? .null,
        "worst_memorization": JSON(tensor.worstMemorization),
        "disturbance": tensor.disturbance.map { .array($0.map { JSON($0) }) } ?? .null,
      ]
    }
    return .object(object)
  }
}
