import CheckpointLedger
import Foundation
import Safetensors
import Tensors
import Tokenization
import Transformer
import WeightPatch

/// What computes with a checkpoint's weights: its tokenizer and its decoder.
public final class LanguageModel {
  public let tokenizer: Tokenizer
  public let decoder: Decoder
  /// Nobody changes the weights while they are computed with.
  private let locked: LockedCheckpoint

  public var checkpoint: Checkpoint { locked.checkpoint }

  /// - Parameters:
  ///   - path: of the directory, or the model's name in the download cache.
  ///   - notice: is told, in one line for people each, if an interrupted change of the checkpoint was repaired first,
  ///     what its configuration says without effect, and if `transformers` would put a token before every text that
  ///     `tokenizer.json` does not.
  /// - Throws: an `ErrataError` if the directory lacks a part, if the architecture is not supported, or as
  ///   `LockedCheckpoint`.
  public convenience init(path: String, notice: (String) -> Void = { _ in }) throws {
    try self.init(LockedCheckpoint(path: path, notice: notice), notice: notice)
  }

  /// Of a checkpoint that is open already.
  ///
  /// - Throws: an `ErrataError` if the directory lacks a part, or if the architecture is not supported.
  public init(_ locked: LockedCheckpoint, notice: (String) -> Void = { _ in }) throws {
    self.locked = locked
    let checkpoint = locked.checkpoint
    decoder = try Decoder(checkpoint)
    decoder.architecture.notices.forEach(notice)
    let path = checkpoint.path
    let tokenizerPath = path + "/tokenizer.json"
    guard FileManager.default.fileExists(atPath: tokenizerPath) else {
      let others = ["tokenizer.model", "spiece.model", "tekken.json", "vocab.json", "merges.txt", "vocab.txt"]
      throw ErrataError.danglingLink(tokenizerPath)
        ?? ErrataError.noTokenizer(
          path, others: others.filter { FileManager.default.fileExists(atPath: "\(path)/\($0)") })
    }
    tokenizer = try Tokenizer(contentsOf: tokenizerPath)
    let configurationPath = path + "/tokenizer_config.json"
    if let token = TokenizerConfiguration(contentsOf: configurationPath).beginningOfText,
      tokenizer.leadingTokens.isEmpty || tokenizer.leadingTokens.first != tokenizer.id(of: token)
    {
      notice(
        "\(configurationPath) asks for \(token) before every text, and tokenizer.json does not; Errata goes by "
          + "tokenizer.json. To have the token, add it to the post_processor there")
    }
  }

  public var architecture: Architecture { decoder.architecture }

  /// The directory's name, or the model's own in the download cache; it stands for the model in messages and manifests.
  public var name: String {
    HubCache.model(ofSnapshot: checkpoint.path) ?? URL(fileURLWithPath: checkpoint.path).lastPathComponent
  }

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
