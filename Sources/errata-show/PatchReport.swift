import Tensors
import WeightPatch

/// What `errata show` knows about a patch: what the manifest says, and what its factors give.
struct PatchReport {
  let patch: Patch
  let path: String
  let byteCount: Int
  let batches: [BatchFigures]
  /// Not checked: for that it takes keys.
  let signatures: [PatchSignature]

  init(_ patch: Patch, path: String, byteCount: Int, signatures: [PatchSignature] = []) {
    self.patch = patch
    self.path = path
    self.byteCount = byteCount
    self.signatures = signatures
    batches = zip(patch.batches, patch.manifest.batches).map(BatchFigures.init)
  }

  var factCount: Int { patch.manifest.batches.reduce(0) { $0 + $1.facts.count } }
  var listedFacts: [ListedFact] {
    ListedFact.all(in: patch, name: String(path.split(separator: "/").last ?? ""))
  }
  var bytesPerFact: Int? { factCount > 0 ? byteCount / factCount : nil }
}

/// What the factors of a batch give.
struct BatchFigures {
  struct Tensor {
    let name: ByteString
    /// How the factors are stored, A then B, and the keys if the patch carries them.
    let storage: String
    let deltaNorm: Double?
    let preservation: Double?
    /// Per fact; nil where the batch does not answer per fact.
    let memorization: [Double]?
    /// What the manifest records.
    let recorded: Manifest.TensorFigures?
  }

  let tensors: [Tensor]

  init(_ batch: EditBatch, _ described: Manifest.Batch) {
    tensors = batch.tensors.map { factors in
      Tensor(
        name: factors.name,
        storage: "\(factors.left.dtype.rawValue) \(factors.right.dtype.rawValue)"
          + (factors.keys.map { ", keys \($0.dtype.rawValue)" } ?? ""),
        deltaNorm: factors.deltaNorm(), preservation: factors.preservation(),
        memorization: described.terms == .facts ? factors.memorization(lambda: described.method.lambda) : nil,
        recorded: described.tensors[factors.name])
    }
  }

  /// What fact `index` falls short of, in the tensor where that is worst.
  func shortfall(ofFact index: Int) -> Double? { tensors.compactMap { $0.memorization?[index] }.max() }
}

extension PatchReport {
  /// The answer of `--json`: the manifest as it stands, and beside it what it does not hold.
  var json: JSON {
    [
      "file": JSON(path), "patch": JSON(patch.identifier.description), "bytes": .integer(byteCount),
      "bytes_per_fact": bytesPerFact.map { .integer($0) } ?? .null, "manifest": patch.manifest.json,
      "figures": .array(batches.map(\.json)), "signatures": .array(signatures.map(\.json)),
    ]
  }
}

extension BatchFigures {
  fileprivate var json: JSON {
    func number(_ value: Double?) -> JSON {
      guard let value, value.isFinite else { return .null }
      return .double(value)
    }
    var object = JSONObject()
    for tensor in tensors {
      object[tensor.name] = [
        "storage": JSON(tensor.storage), "delta_norm": number(tensor.deltaNorm),
        "preservation": number(tensor.preservation),
        "memorization": tensor.memorization.map { .array($0.map { number($0) }) } ?? .null,
      ]
    }
    return .object(object)
  }
}
