import Tensors
import WeightPatch

extension CheckpointState {
  /// That a patch which the ledger does not name is not in the weights: without the ledger's undo record it cannot be
  /// taken back, and "not applied" would be wrong. Compares digests: of the tensors as they are, or without the patches
  /// of the ledger, with those that the patch records.
  ///
  /// - Throws: an `ErrataError` if the tensors are the patch's result, or neither that nor its base.
  func checkIsNotInWeights(_ file: PatchFile) throws {
    let expected = file.manifest.base.tensors
    let names = Set(expected.keys)
    var found: [ByteString: Digest] = [:]
    if names.allSatisfy(checkpoint.contains) { found = try baseDigests(of: names) }
    if expected.allSatisfy({ found[$0.key] == $0.value.digest }) { return }
    if let result = file.manifest.result, names.allSatisfy({ found[$0] == result[$0] && found[$0] != nil }) {
      throw ErrataError.undoRecordLost(file.path, checkpoint.path, location.directory.path)
    }
    throw ErrataError.presenceUnknown(file.path, checkpoint.path)
  }
}
