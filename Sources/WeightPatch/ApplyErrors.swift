import Tensors

/// What apply and revert say when they cannot go on.
extension ErrataError {
  // MARK: A tensor and a patch that do not fit

  static func notAWeightType(_ name: ByteString, _ dtype: DType) -> ErrataError {
    ErrataError(
      .baseMismatch, "\(name): is stored as \(dtype.rawValue); a patch can edit BF16, F16 and F32 tensors only")
  }

  static func notAMatrix(_ name: ByteString, _ shape: Shape) -> ErrataError {
    ErrataError(.baseMismatch, "\(name): has shape \(shape); a patch can edit matrices only")
  }

  static func shapeMismatch(_ name: ByteString, found: Shape, wanted: Shape) -> ErrataError {
    ErrataError(
      .baseMismatch, "\(name): has shape \(found), the patch edits \(wanted): it was made for another model")
  }

  // MARK: Arithmetic

  static func baseNotFinite(_ name: ByteString, row: Int, column: Int) -> ErrataError {
    ErrataError(
      .general, "\(name)[\(row), \(column)]: is not a finite number; a tensor with NaN or infinity cannot be edited")
  }

  static func resultOverflows(_ name: ByteString, _ dtype: DType, row: Int, column: Int) -> ErrataError {
    ErrataError(
      .general, "\(name)[\(row), \(column)]: the edited value overflows \(dtype.rawValue); the edit is too large")
  }

  // MARK: Undo records

  static func damagedUndoRecord(_ path: String, _ reason: String) -> ErrataError {
    ErrataError(.damagedInput, "\(path): damaged undo record: \(reason); restore the base checkpoint from its source")
  }

  static func undoRecordVersion(_ path: String, _ version: UInt32) -> ErrataError {
    ErrataError(.damagedInput, "\(path): undo record of version \(version); this tool reads version 1: update errata")
  }
}
