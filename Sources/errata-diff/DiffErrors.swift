import Tensors

/// What `errata diff` says when it cannot answer.
extension ErrataError {
  static func baseCarriesPatches(_ path: String, _ count: Int) -> ErrataError {
    ErrataError(
      .conflict, path, "carries \(count == 1 ? "a patch" : "\(count) patches"), and a base is pristine",
      remedy: "take a copy from 'errata revert \(path) --all -o BASE'")
  }

  static func notAsRecorded(_ checkpoint: String) -> ErrataError {
    ErrataError(
      .verification, checkpoint, "tensors are not what its ledger says",
      remedy: "'errata verify \(checkpoint)' checks all of them")
  }
}
