import CheckpointLedger
import Safetensors
import Tensors

/// What of the tensors of two checkpoints can become a patch, by type and shape, and what cannot.
struct CommonTensors {
  /// In order of the base's names.
  let pairs: [(before: StoredTensor, after: StoredTensor)]
  /// Those that differ, or that only one of the checkpoints has, with the reason why they can be in no patch, for
  /// people.
  let leftOut: [ByteString: String]

  init(_ base: Checkpoint, _ target: Checkpoint) throws {
    let pairing = TensorPairing(base, target)
    var pairs: [(before: StoredTensor, after: StoredTensor)] = []
    var leftOut: [ByteString: String] = [:]
    for name in pairing.onlyInFirst { leftOut[name] = "only in the base" }
    for name in pairing.onlyInSecond { leftOut[name] = "not in the base" }
    for (name, other) in pairing.pairs {
      let (before, after) = (try base.tensor(named: name), try target.tensor(named: other))
      if before.dtype != after.dtype || before.shape != after.shape {
        let values = before.retyping(to: after).map { ", \($0.text(before.dtype, after.dtype))" } ?? ""
        leftOut[name] =
          "\(before.dtype.rawValue) \(before.shape) in the base, \(after.dtype.rawValue) \(after.shape) in the other"
          + values
      } else if before.dtype.isWeightType {
        pairs.append((before, after))
      } else if !before.isIdentical(to: after) {
        leftOut[name] = "\(before.dtype.rawValue), and a patch edits BF16, F16 and F32 only"
      }
    }
    self.pairs = pairs
    self.leftOut = leftOut
  }
}
