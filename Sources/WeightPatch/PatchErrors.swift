import Tensors

/// What is wrong with a patch, in words. `source` is the file's path.
extension ErrataError {
  static func patchExists(_ path: String) -> ErrataError {
    ErrataError(.general, path, "is there already", remedy: .replace)
  }

  // MARK: The file

  static func directoryForPatch(_ path: String) -> ErrataError {
    ErrataError(.general, path, "is a directory", remedy: "name a .wpatch file")
  }

  static func notAPatch(_ source: String) -> ErrataError {
    ErrataError(.damagedInput, source, "is not a .wpatch file, or its first bytes are damaged")
  }

  static func newerFormat(_ source: String, _ version: String) -> ErrataError {
    ErrataError(
      .damagedInput, source,
      "is in format \(version), this version reads formats \(Manifest.formatVersions.lowerBound) and "
        + "\(Manifest.formatVersions.upperBound)", remedy: "get a newer Errata")
  }

  static func formatsDiffer(_ source: String, manifest: Int) -> ErrataError {
    ErrataError(
      .damagedInput, source, "its manifest is in format \(manifest), its first bytes say another one")
  }

  static func noSeal(_ source: String) -> ErrataError {
    ErrataError(.damagedInput, source, "truncated or damaged: there is no seal at its end", remedy: "fetch it again")
  }

  static func brokenSeal(_ source: String) -> ErrataError {
    ErrataError(.damagedInput, source, "damaged: its bytes do not match its seal", remedy: "fetch it again")
  }

  static func damagedFrame(_ source: String, offset: Int, reason: String) -> ErrataError {
    ErrataError(.damagedInput, source, "damaged at byte \(offset)", cause: reason)
  }

  static func frameSizeDiffers(_ source: String, offset: Int, expected: Int, found: Int) -> ErrataError {
    damagedFrame(
      source, offset: offset, reason: "the frame states \(found) bytes where \(expected) belong")
  }

  static func neitherFileNorPipe(_ path: String) -> ErrataError {
    ErrataError(.general, path, "is neither a regular file nor a pipe", remedy: "name a .wpatch file")
  }

  static func overLimit(_ source: String, _ what: String, found: Int, limit: Int) -> ErrataError {
    ErrataError(.damagedInput, source, "\(what) is \(found), more than the \(limit) that are allowed")
  }

  static func unsupportedField(_ source: String, _ field: String, _ what: String) -> ErrataError {
    ErrataError(
      .damagedInput, source, "has \(what) (\(field) in its manifest), which this version does not read",
      remedy: "get a newer Errata")
  }

  static func slackCountDiffers(_ source: String, _ batch: Int, _ tensor: ByteString, terms: Int) -> ErrataError {
    ErrataError(
      .damagedInput, source, "batch \(batch) has another number of slacks than its \(terms) terms of \(tensor)")
  }

  // MARK: The manifest

  static func noManifest(_ source: String) -> ErrataError {
    ErrataError(.damagedInput, source, "there is no manifest: __metadata__ has no \"wpatch\"")
  }

  static func manifestNotJSON(_ source: String, _ error: JSONSyntaxError) -> ErrataError {
    ErrataError(.damagedInput, source, "the manifest is not valid JSON at byte \(error.offset)", cause: error.reason)
  }

  static func manifestNotAnObject(_ source: String) -> ErrataError {
    ErrataError(.damagedInput, source, "the manifest is not a JSON object")
  }

  static func manifestField(_ source: String, _ field: String, _ problem: String) -> ErrataError {
    ErrataError(.damagedInput, source, "manifest: \(field) \(problem)")
  }

  // MARK: The tensors

  static func unknownPatchTensor(_ source: String, _ name: ByteString) -> ErrataError {
    ErrataError(.damagedInput, source, "tensor \"\(name)\" has no place in a patch")
  }

  static func patchTensor(_ source: String, _ name: ByteString, _ problem: String) -> ErrataError {
    ErrataError(.damagedInput, source, "tensor \"\(name)\" \(problem)")
  }

  static func batchWithoutTensors(_ source: String, _ batch: Int) -> ErrataError {
    ErrataError(.damagedInput, source, "the manifest describes batch \(batch), but there are no tensors of it")
  }

  static func factCountDiffers(_ source: String, _ batch: Int, facts: Int, terms: Int) -> ErrataError {
    ErrataError(
      .damagedInput, source, "batch \(batch) has \(facts) facts in the manifest and \(terms) terms in its factors")
  }

  static func editedTensorsDiffer(_ source: String, _ field: String) -> ErrataError {
    ErrataError(.damagedInput, source, "manifest: \(field) does not name exactly the tensors that the batches edit")
  }

  static func batchDigestDiffers(_ source: String, _ batch: Int) -> ErrataError {
    ErrataError(.damagedInput, source, "batch \(batch) does not have the digest that the manifest records")
  }

  // MARK: Making a patch

  static func compressionFailed(_ path: String, _ reason: String) -> ErrataError {
    ErrataError(.general, path, "cannot compress", cause: reason)
  }

  static var factorsVanish: ErrataError {
    ErrataError(
      .general,
      "the factors have values that are too small for float32: the patch would do nothing, and could not be "
        + "solved again",
      remedy: "use a smaller lambda")
  }

  public static var factorsNotFinite: ErrataError {
    ErrataError(
      .general, "the factors have values that are not finite in float32",
      remedy: "the system is close to singular: use a larger lambda or drop dependent facts")
  }

  public static func factorsOutOfRange(_ types: FactorTypes) -> ErrataError {
    ErrataError(.general, "the factors leave the range of float32 when they are rounded to \(types): store them as f32")
  }
}
