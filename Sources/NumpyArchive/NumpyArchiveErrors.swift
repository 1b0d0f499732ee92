import Tensors

extension ErrataError {
  package static func notNumpyArchive(_ path: String, _ reason: String) -> ErrataError {
    ErrataError(.damagedInput, path, "not a .npz file of arrays", cause: reason)
  }
}
