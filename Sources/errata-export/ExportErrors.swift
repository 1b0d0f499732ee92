import Tensors

/// What keeps `errata export` from writing an adapter.
extension ErrataError {
  static func exportBaseIsEdited(_ path: String) -> ErrataError {
    ErrataError(
      .conflict, path, "carries patches, and an adapter is for the base alone",
      remedy: "take a copy from 'errata revert \(path) --all -o BASE'")
  }

  static var nothingToCheck: ErrataError {
    ErrataError(.general, "--check asks for the patches' facts, and they list none")
  }
}
