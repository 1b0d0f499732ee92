import Tensors
import Transformer
import WeightPatch

extension LanguageModel {
  /// Lets the decoder compute with the weights that the checkpoint has after `plan`, which is not carried out; its other
  /// down-projections are the checkpoint's own.
  ///
  /// - Throws: an `ErrataError` if the plan changes what is no layer's down-projection, or if its result cannot be
  ///   computed.
  public func compute(after plan: StatePlan) throws {
    if let other = otherTensors(in: plan).first { throw ErrataError.notADownProjection(other, checkpoint.path) }
    let changed = Set(plan.changedTensors)
    for name in (0..<architecture.layerCount).map(decoder.editedTensor) {
      try decoder.replace(name, with: changed.contains(name) ? try plan.result(of: name) : nil)
    }
  }

  /// Lets the decoder compute with the weights that an edit begins with.
  ///
  /// - Throws: an `ErrataError`, as `compute(after:)`.
  public func compute(on foundation: EditFoundation) throws { try compute(after: foundation.standing) }

  /// What `plan` changes and `compute` cannot put in place, in order of name: the decoder reads it from the checkpoint.
  public func otherTensors(in plan: StatePlan) -> [ByteString] {
    let downProjections = Set((0..<architecture.layerCount).map(decoder.editedTensor))
    return plan.changedTensors.filter { !downProjections.contains($0) }
  }
}
