import Tensors

/// A model family: how a `config.json` of one `model_type` becomes an `Architecture`.
struct Family: Sendable {
  let modelType: String
  /// The second argument tells whether the checkpoint holds a tensor: some families are stored under two prefixes.
  let describe: @Sendable (Configuration, (ByteString) -> Bool) throws -> Architecture

  static let all: [Family] = [
    Family(modelType: "llama", describe: describeLlama),
    Family(modelType: "gpt2", describe: describeGPT2),
  ]
}
