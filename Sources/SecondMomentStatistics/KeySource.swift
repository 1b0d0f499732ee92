import LinearAlgebra
import Tensors

/// A model, as far as the files of its second moments speak of it.
package protocol MeasuredModel {
  /// For people.
  var name: String { get }
  var tokenizerDigest: Digest { get }
  var specialTokens: SecondMomentOrigin.SpecialTokens { get }
  var layerCount: Int { get }

  /// - Throws: an `ErrataError` unless they are layers of the model, ascending, at least one.
  func check(layers: [Int]) throws

  /// The name of a layer's down-projection.
  func editedTensor(_ layer: Int) -> ByteString

  /// d_in of a layer's down-projection.
  func keyLength(ofLayer layer: Int) -> Int

  /// - Throws: an `ErrataError` if the weight cannot be read.
  func weightDigest(ofLayer layer: Int) throws -> Digest

  /// tr(W C W^T), the mean squared norm of a down-projection's output, where C is the mean of some outer products.
  ///
  /// - Parameters:
  ///   - sum: sum k k^T, d_in x d_in.
  ///   - tokenCount: of how many keys.
  /// - Throws: an `ErrataError` if the weight cannot be read, or the result is not finite.
  func outputPower(ofKeysWithSum sum: PackedTriangle, tokenCount: Int, layer: Int) throws -> Double
}

/// What a collector reads keys from: a model with a text.
package protocol KeySource {
  var model: any MeasuredModel { get }
  var origin: SecondMomentOrigin { get }
  var layers: [Int] { get }

  /// The text as sequences of `origin.sequenceLength` tokens, with the special tokens of each, or why there is none.
  func sequences() -> AnySequence<Result<[Int32], ErrataError>>

  /// Calls `body` with the keys (tokens x d_in) of each of the layers at every token of some sequences.
  ///
  /// - Throws: an `ErrataError` if the model cannot be read.
  func measureKeys(of sequences: [[Int32]], _ body: (_ layer: Int, _ keys: Matrix<Float>) -> Void) throws

  /// The memory that measuring the keys of a token takes, at most.
  var byteCountPerRow: Int { get }

  /// That the text is shorter than one sequence.
  var textTooShort: ErrataError { get }

  /// That a layer's keys are not numbers.
  func keysNotFinite(layer: Int) -> ErrataError
}
