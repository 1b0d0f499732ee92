import Tensors

/// What keeps `errata import` from making a patch.
extension ErrataError {
  static func importBaseIsEdited(_ path: String) -> ErrataError {
    ErrataError(
      .conflict, path, "carries patches, and an adapter's base is pristine",
      remedy: "take a copy from 'errata revert \(path) --all -o BASE'")
  }
}
