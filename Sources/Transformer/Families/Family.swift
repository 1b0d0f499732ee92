import Tensors

/// A model family: how a `config.json` of one `model_type` becomes an `Architecture`.
struct Family: Sendable {
  let modelType: String
  /// The second argument tells whether the checkpoint holds a tensor: some families are stored under two prefixes.
  let describe: @Sendable (Configuration, (ByteString) -> Bool) throws -> Architecture

  static let all: [Family] = [
    Family(modelType: "llama", describe: describeLlama),
    Family(modelType: "mistral", describe: describeMistral),
    Family(modelType: "qwen2", describe: describeQwen2),
    Family(modelType: "qwen3", describe: describeQwen3),
    Family(modelType: "gemma", describe: describeGemma),
    Family(modelType: "gemma2", describe: describeGemma2),
    Family(modelType: "phi3", describe: describePhi3),
    Family(modelType: "gpt2", describe: describeGPT2),
    Family(modelType: "gptj", describe: describeGPTJ),
    Family(modelType: "gpt_neox", describe: describeGPTNeoX),
  ]
}

/// The tensor names of a block, all of which begin with the same prefix.
struct BlockNames {
  let prefix: String

  func linear(_ name: String, hasBias: Bool = true) -> Architecture.LinearTensors {
    .init(weight: weight(name), bias: hasBias ? bias(name) : nil)
  }

  func normalization(_ name: String, hasBias: Bool = true) -> Architecture.NormalizationTensors {
    .init(weight: weight(name), bias: hasBias ? bias(name) : nil)
  }

  private func weight(_ name: String) -> ByteString { ByteString("\(prefix)\(name).weight") }
  private func bias(_ name: String) -> ByteString { ByteString("\(prefix)\(name).bias") }
}

extension Configuration {
  /// The length of a head where it is the hidden size divided by the number of heads.
  func evenHeadSize(_ hiddenSize: Int, _ headCount: Int, field: String, of hiddenField: String) throws -> Int {
    guard hiddenSize % headCount == 0 else {
      throw ErrataError.wrongField(path, field, expected: "a divisor of \(hiddenField)", found: String(headCount))
    }
    return hiddenSize / headCount
  }
}
