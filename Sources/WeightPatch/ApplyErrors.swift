import Safetensors
import Tensors

/// What exact apply and the files of a patch say when they cannot go on.
extension ErrataError {
  static func notAWeightType(_ name: ByteString, _ dtype: DType) -> ErrataError {
    ErrataError(
      .baseMismatch, "\(name): is stored as \(dtype.rawValue); a patch can edit BF16, F16 and F32 tensors only")
  }

  static func notAMatrix(_ name: ByteString, _ shape: Shape) -> ErrataError {
    ErrataError(.baseMismatch, "\(name): has shape \(shape); the terms of a patch are for matrices")
  }

  static func shapeMismatch(_ name: ByteString, found: Shape, wanted: Shape) -> ErrataError {
    ErrataError(
      .baseMismatch, "\(name): has shape \(found), the patch edits \(wanted): it was made for another model")
  }

  /// What went wrong at one element, with the files where it did; without patches that have names yet, the checkpoint.
  public static func exactApply(_ error: ErrataError, of patches: [String] = [], to checkpoint: String) -> ErrataError {
    let subject = patches.isEmpty ? checkpoint : "\(patches.joined(separator: " and ")) on \(checkpoint)"
    return ErrataError(error.category, "\(subject): \(error.message)")
  }

  static func baseNotFinite(_ name: ByteString, row: Int, column: Int) -> ErrataError {
    ErrataError(
      .general, "\(name)[\(row), \(column)]: is not a finite number; a tensor with NaN or infinity cannot be edited")
  }

  static func resultOverflows(_ name: ByteString, _ dtype: DType, row: Int, column: Int) -> ErrataError {
    ErrataError(
      .general, "\(name)[\(row), \(column)]: the edited value overflows \(dtype.rawValue); the edit is too large")
  }

  static func correctionOverflows(_ name: ByteString, _ dtype: DType, row: Int, column: Int) -> ErrataError {
    ErrataError(
      .general,
      "\(name)[\(row), \(column)]: its correction leaves the range of \(dtype.rawValue); the patch was made for another base"
    )
  }

  static func mixedCorrection(_ weight: ByteString, by corrected: String, and other: String) -> ErrataError {
    ErrataError(
      .conflict,
      "\(weight): is corrected by \(corrected) and changed by \(other) too, but a correction fits only the sum that it was "
        + "made for: take one of them, or run 'errata diff' on the finished checkpoint, or make the first again with "
        + "'errata diff --no-correction'")
  }

  package static func file(_ action: String, _ path: String, _ code: Int32) -> ErrataError {
    ErrataError(.general, "\(path): cannot \(action): \(systemErrorText(code))")
  }

  package static func notARegularFile(_ path: String) -> ErrataError {
    ErrataError(.general, "\(path): is neither a file nor a directory of its own; move it out of the checkpoint")
  }

  /// What a ledger, or what is on its way to be one, must not have: it would lead elsewhere.
  static func linkAmongOwnFiles(_ path: String) -> ErrataError {
    ErrataError(.damagedInput, "\(path): is a symbolic link, which Errata never puts there; remove it")
  }

  package static func foreignAmongOwnFiles(_ path: String) -> ErrataError {
    ErrataError(.damagedInput, "\(path): is not what Errata puts there; move it away")
  }

  package static func replacedMeanwhile(_ path: String) -> ErrataError {
    ErrataError(
      .general, "\(path): another file took its place meanwhile; another program is writing there: try again later")
  }

  package static func outputExists(_ path: String) -> ErrataError {
    ErrataError(.general, "\(path): exists already; name an output that does not")
  }
}
