import Safetensors
import Tensors

/// What keeps a patch from being solved again, in words. `source` is the patch's path.
extension ErrataError {
  static func noSuchBatch(_ source: String, _ batch: Int, count: Int) -> ErrataError {
    ErrataError(
      .usage,
      "\(source): has no batch \(batch): it has \(count == 1 ? "one, batch 0" : "\(count), batches 0 to \(count - 1)")")
  }

  static func batchOfComponents(_ source: String, _ batch: Int) -> ErrataError {
    ErrataError(
      .general,
      "\(source): the terms of batch \(batch) belong to no single fact (it was compacted, or is a difference): it cannot be "
        + "solved again; use the patch that it was made from")
  }

  static func batchWithoutGram(_ source: String, _ batch: Int, _ tensor: ByteString) -> ErrataError {
    ErrataError(
      .general, "\(source): batch \(batch) carries no Gram matrix for \(tensor): it cannot be solved again")
  }

  static func singularSystem(_ source: String, _ batch: Int, lambda: Double) -> ErrataError {
    ErrataError(
      .general,
      "\(source): the keys of batch \(batch) depend on one another, so that there is no solution at lambda \(lambda): use a "
        + "larger lambda, or drop facts")
  }

  static func factNotFound(_ source: String, _ text: String) -> ErrataError {
    ErrataError(
      .general,
      "\(source): has no fact '\(text)': give an ID, its first digits (four at least) or the exact subject, as 'errata show' "
        + "lists them")
  }

  static func factAmbiguous(_ source: String, _ text: String, _ identifiers: [String]) -> ErrataError {
    ErrataError(
      .general, "\(source): '\(text)' could be \(identifiers.joined(separator: " or ")): give more digits of the ID")
  }

  static func nothingLeft(_ source: String) -> ErrataError {
    ErrataError(.general, "\(source): no fact would remain, and a patch cannot be empty")
  }

  static func notTheBase(_ source: String, _ checkpoint: String, _ tensor: ByteString) -> ErrataError {
    ErrataError(
      .baseMismatch,
      "\(checkpoint): is not the base that \(source) was made for: \(tensor) differs; without --base the patch records no "
        + "result")
  }

  static func resultNeedsParents(_ source: String) -> ErrataError {
    ErrataError(
      .conflict,
      "\(source): was computed on top of other patches, so that its result does not follow from the base alone; leave out "
        + "--base")
  }

  // MARK: Differences

  static func factorsTooLarge(_ first: String, _ second: String, _ tensor: ByteString) -> ErrataError {
    ErrataError(
      .general, "\(first), \(second): the changes of \(tensor) are too large to be compared: their products overflow")
  }

  static func noDifference(_ base: String, _ target: String) -> ErrataError {
    ErrataError(.general, "\(base), \(target): have the same tensors: there is nothing for a patch to do")
  }

  static func tensorOfOneCheckpoint(_ having: String, _ lacking: String, _ tensor: ByteString) -> ErrataError {
    ErrataError(
      .general, "\(lacking): does not have \(tensor), which \(having) has: a patch can neither add nor remove tensors")
  }

  static func retypedTensor(
    _ first: String, _ second: String, _ before: TensorInfo, _ after: TensorInfo
  ) -> ErrataError {
    ErrataError(
      .general,
      "\(before.name): is \(before.dtype.rawValue) \(before.shape) in \(first) and \(after.dtype.rawValue) \(after.shape) in "
        + "\(second): a patch keeps type and shape; convert one of them first")
  }

  static func differenceOfOtherType(_ path: String, _ tensor: ByteString, _ dtype: DType) -> ErrataError {
    ErrataError(
      .general, "\(path): \(tensor) differs and is \(dtype.rawValue): a patch can edit BF16, F16 and F32 tensors only")
  }
}
