import Tensors

/// A model family: how a `config.json` of one `model_type` becomes an `Architecture`.
package struct Family: Sendable {
  /// Tells whether the checkpoint holds a tensor: some families are stored under several prefixes.
  typealias Contains = (ByteString) -> Bool

  package let modelType: String
  /// By the names that people know.
  package let models: String
  /// In what it differs from Llama.
  package let uses: String
  /// What the names of the decoder's modules begin with in transformers, whatever those of a checkpoint's tensors do.
  let modulePrefix: String
  /// llama.cpp's name of the architecture (`general.architecture`); nil if it has none, or if a part's family says it.
  let ggufName: String?
  let describe: @Sendable (Configuration, Contains) throws -> Architecture

  init(
    _ modelType: String, modules modulePrefix: String = "model.", gguf ggufName: String? = nil, models: String,
    uses: String,
    _ describe: @escaping @Sendable (Configuration, Contains) throws -> Architecture
  ) {
    self.modelType = modelType
    self.models = models
    self.uses = uses
    self.modulePrefix = modulePrefix
    self.ggufName = ggufName
    self.describe = describe
  }

  /// - Throws: an `ErrataError` if the configuration's family is not supported, or it asks for what is not.
  static func architecture(_ configuration: Configuration, _ contains: Contains) throws -> Architecture {
    guard let family = all.first(where: { $0.modelType == configuration.modelType }) else {
      throw ErrataError.unsupportedArchitecture(configuration.path, configuration.modelType)
    }
    var architecture = try family.describe(configuration, contains)
    architecture.modulePrefix = family.modulePrefix
    architecture.ggufName = family.ggufName ?? architecture.ggufName
    return architecture
  }
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

  func weight(_ name: String) -> ByteString { ByteString("\(prefix)\(name).weight") }
  private func bias(_ name: String) -> ByteString { ByteString("\(prefix)\(name).bias") }
}

/// The first of some prefixes under which the checkpoint has a tensor; the first of all if it has it nowhere.
func prefix(_ prefixes: [String], of name: String, _ contains: Family.Contains) -> String {
  prefixes.first { contains(ByteString($0 + name)) } ?? prefixes[0]
}

/// The head of a model: a tensor of its own if there is one, as in transformers even where the configuration ties it.
func head(
  _ names: [ByteString] = ["lm_head.weight"], isTied: Bool, embedding: ByteString, _ contains: Family.Contains
) -> ByteString {
  names.first(where: contains) ?? (isTied ? embedding : names[0])
}

extension Configuration {
  /// The length of a head where it is the hidden size divided by the number of heads.
  func evenHeadSize(_ hiddenSize: Int, _ headCount: Int, field: String, of hiddenField: String) throws -> Int {
    guard hiddenSize % headCount == 0 else {
      throw ErrataError.wrongField(
        path, name(field), expected: "a divisor of \(hiddenField)", found: String(headCount))
    }
    return hiddenSize / headCount
  }

  /// Heads that share keys and values in equal groups.
  func heads(count: Int, keyValueCount: Int, size: Int, field: String = "num_key_value_heads") throws
    -> Architecture.Heads
  {
    guard count % keyValueCount == 0 else {
      throw ErrataError.wrongField(
        path, name(field), expected: "a divisor of num_attention_heads", found: String(keyValueCount))
    }
    return Architecture.Heads(count: count, keyValueCount: keyValueCount, size: size)
  }

  /// Which layers' attention slides, by `layer_types`.
  ///
  /// - Parameter defaultIsSliding: for a file without the field.
  func slidingLayers(
    default defaultIsSliding: @escaping @Sendable (Int) -> Bool
  ) throws -> @Sendable (Int) -> Bool {
    guard let types = value("layer_types") else { return defaultIsSliding }
    guard let names = types.arrayValue else {
      throw ErrataError.wrongField(path, name("layer_types"), expected: "an array", found: types.kind)
    }
    let flags = try names.map { type in
      switch type.stringValue {
      case "full_attention": return false
      case "sliding_attention": return true
      default:
        throw ErrataError.unsupportedSetting(
          path, name("layer_types"), type.stringValue.map { "'\($0)'" } ?? type.kind,
          supported: "full_attention, sliding_attention")
      }
    }
    let layerCount = try positiveInteger("num_hidden_layers")
    guard flags.count == layerCount else {
      throw ErrataError.wrongField(
        path, name("layer_types"), expected: "one name for each of \(layerCount) layers", found: String(flags.count))
    }
    return { $0 < flags.count && flags[$0] }
  }
}
