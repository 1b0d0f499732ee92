import Safetensors
import Tensors

/// What exact apply and the files of a patch say when they cannot go on.
extension ErrataError {
  static func notAWeightType(_ name: ByteString, _ dtype: DType) -> ErrataError {
    ErrataError(
      .baseMismatch, name.description, "is stored as \(dtype.rawValue); a patch can edit BF16, F16 and F32 tensors only"
    )
  }

  static func notAMatrix(_ name: ByteString, _ shape: Shape) -> ErrataError {
    ErrataError(.baseMismatch, name.description, "has shape \(shape); the terms of a patch are for matrices")
  }

  static func shapeMismatch(_ name: ByteString, found: Shape, wanted: Shape) -> ErrataError {
    ErrataError(
      .baseMismatch, name.description, "has shape \(found), the patch edits \(wanted): it was made for another model")
  }

  /// What went wrong at one element, with the files where it did; without patches that have names yet, the checkpoint.
  public static func exactApply(_ error: ErrataError, of patches: [String] = [], to checkpoint: String) -> ErrataError {
    patches.isEmpty ? error.within([checkpoint]) : error.within(patches, on: checkpoint)
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
      .general, "\(name)[\(row), \(column)]",
      "its correction leaves the range of \(dtype.rawValue); the patch was made "
        + "for another base")
  }

  static func mixedCorrection(_ weight: ByteString, by corrected: String, and other: String) -> ErrataError {
    ErrataError(
      .conflict, weight.description,
      "is corrected by \(corrected) and changed by \(other) too, but a correction fits only the sum that it "
        + "was made for",
      remedy: .makeWithoutCorrection)
  }

  package static func notARegularFile(_ path: String) -> ErrataError {
    ErrataError(.general, path, "is neither a file nor a directory of its own", remedy: "move it out of the checkpoint")
  }

  /// What a ledger, or what is on its way to be one, must not have: it would lead elsewhere.
  static func linkAmongOwnFiles(_ path: String) -> ErrataError {
    ErrataError(.damagedInput, path, "is a symbolic link, which Errata never puts there", remedy: "remove it")
  }

  package static func foreignAmongOwnFiles(_ path: String) -> ErrataError {
    ErrataError(.damagedInput, path, "is not what Errata puts there", remedy: "move it away")
  }

  package static func replacedMeanwhile(_ path: String) -> ErrataError {
    ErrataError(
      .general, path, "another file took its place meanwhile",
      remedy: "another program is writing there: try again later")
  }

  package static func outputExists(_ path: String) -> ErrataError {
    ErrataError(.general, path, "exists already", remedy: "name an output that does not")
  }
}
