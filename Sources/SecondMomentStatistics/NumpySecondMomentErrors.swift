import Tensors

extension ErrataError {
  static func notNumpySecondMoments(_ path: String, _ reason: String) -> ErrataError {
    ErrataError(.damagedInput, path, "not a .npz file of second moments", cause: reason)
  }

  static func numpyFileWithoutLayer(_ path: String) -> ErrataError {
    ErrataError(.usage, path, "its name does not begin with one of the model's down-projections", remedy: .sayLayer)
  }

  static func numpyFilesOfOneLayer(_ first: String, _ second: String, layer: Int) -> ErrataError {
    ErrataError(
      .usage, [first, second], "are both said to be of layer \(layer)", remedy: "convert each, and merge them")
  }

  static func numpyFilesOfDifferentCounts(_ first: String, _ firstCount: Int, _ second: String, _ count: Int)
    -> ErrataError
  {
    ErrataError(
      .general, second, "was counted over \(count) keys, and \(first) over \(firstCount)",
      remedy: "write a file for each of them")
  }

  static func numpyFileOfAnotherModel(_ path: String, shape: [Int], keyLength: Int) -> ErrataError {
    ErrataError(
      .baseMismatch, path,
      "'mom2.mom2' is \(shape.map(String.init).joined(separator: " x ")), but the model's keys have "
        + "\(keyLength) values; it belongs to another model")
  }
}
