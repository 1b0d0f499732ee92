import Foundation
import Safetensors
import Tensors
import Tokenizers
import Transformer

/// A checkpoint directory opened for computing: weights, tokenizer and decoder.
public final class LanguageModel {
  public let checkpoint: Checkpoint
  public let tokenizer: Tokenizer
  public let decoder: Decoder
  public let configurationDigest: Digest

  /// - Throws: an `ErrataError` if the directory lacks a part, or the architecture is not supported.
  public init(path: String) throws {
    checkpoint = try Checkpoint(path: path)
    decoder = try Decoder(checkpoint)
    let tokenizerPath = path + "/tokenizer.json"
    guard FileManager.default.fileExists(atPath: tokenizerPath) else { throw ErrataError.noTokenizer(path) }
    tokenizer = try Tokenizer(contentsOf: tokenizerPath)
    configurationDigest = try Digest(contentsOf: checkpoint.configurationPath!)
  }

  public var architecture: Architecture { decoder.architecture }

  /// The directory's name, which stands for the model in messages and manifests.
  public var name: String { URL(fileURLWithPath: checkpoint.path).lastPathComponent }

  /// - Throws: an `ErrataError` if a layer does not exist or they do not ascend.
  public func check(layers: [Int]) throws {
    for layer in layers where layer < 0 || layer >= architecture.layerCount {
      throw ErrataError.layerOutOfRange(layer, count: architecture.layerCount)
    }
    guard zip(layers, layers.dropFirst()).allSatisfy(<), !layers.isEmpty else {
      throw ErrataError.layersNotAscending(layers)
    }
  }
}
