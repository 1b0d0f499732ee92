import CheckpointLedger
import LinearAlgebra
import Tensors
import Transformer
import WeightPatch

extension LowRankAdapter {
  /// Lets a decoder compute with the adapter beside its weights, in float32, as a server does that has not merged it.
  ///
  /// - Parameter decoder: of the adapter's base.
  package func attach(to decoder: Decoder) {
    for module in modules where !module.isZero {
      let scale = Float(module.scale)
      let left =
        scale == 1
        ? module.left
        : Matrix(
          rows: module.left.rows, columns: module.left.columns, elements: module.left.elements.map { scale * $0 })
      decoder.add(LowRankTerm(left: left, right: module.right), to: module.target.tensor)
    }
  }
}

extension LowRankAdapter {
  /// What adapters and patches say of a checkpoint, without being in its weights.
  ///
  /// - Parameters:
  ///   - adapters: paths of folders in PEFT's format and of GGUF files.
  ///   - patches: that are not applied. What a patch shares with one that is applied is in the weights already.
  ///   - state: the checkpoint's.
  /// - Throws: an `ErrataError` if an adapter or a patch does not fit, or holds what no adapter can.
  package static func beside(
    _ state: CheckpointState, adapters: [String], patches: [PatchFile]
  ) throws -> [LowRankAdapter] {
    let base = try AdapterBase(state.checkpoint)
    var result = try adapters.map { try AdapterFile.read($0, for: base) }
    let plan = try state.planApply(patches, time: "")
    if !plan.applied.isEmpty {
      result.append(try LowRankAdapter(plan.applied, for: base, without: state.batches.digests))
    }
    return result
  }
}
