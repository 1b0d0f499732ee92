import Transformer

/// Settings published for a model, or measured by us where none are published.
public struct Preset: Sendable {
  public let name: String
  /// What a checkpoint must look like for the preset to be chosen by itself.
  let family: String
  let layerCount: Int
  let hiddenSize: Int
  let settings: [EditMethod: EditSettings]

  /// The preset whose architecture is the model's.
  public static func matching(_ architecture: Architecture) -> Preset? {
    all.first {
      $0.family == architecture.family && $0.layerCount == architecture.layerCount
        && $0.hiddenSize == architecture.hiddenSize
    }
  }

  public static func named(_ name: String) -> Preset? { all.first { $0.name == name } }

  public func settings(for method: EditMethod) -> EditSettings { settings[method]! }

  /// What is used where no preset fits: one layer a sixth of the way up, and what works on small Llama models.
  public static func fallback(_ method: EditMethod, _ architecture: Architecture) -> EditSettings {
    EditSettings(method: method, layers: [architecture.layerCount / 6])
  }

  /// The settings of the preset that fits the model, or of the fallback.
  public static func settings(_ method: EditMethod, for architecture: Architecture) -> EditSettings {
    matching(architecture)?.settings(for: method) ?? fallback(method, architecture)
  }

  /// The sample model and SmolLM2 as measured by us, GPT2-XL and Llama-2-7B as in the published hyperparameter files (rome, memit, unified-model-editing, EasyEdit).
  public static let all: [Preset] = [
    Preset(
      name: "errata-sample", family: "llama", layerCount: 6, hiddenSize: 128,
      settings: [
        .rome: EditSettings(method: .rome, layers: [1]),
        .memit: EditSettings(method: .memit, layers: [0, 1, 2], secondMomentWeight: 100),
        .emmet: EditSettings(method: .emmet, layers: [1], secondMomentWeight: 1),
      ]),
    Preset(
      name: "smollm2-135m", family: "llama", layerCount: 30, hiddenSize: 576,
      settings: [
        .rome: EditSettings(method: .rome, layers: [5]),
        .memit: EditSettings(method: .memit, layers: [3, 4, 5], secondMomentWeight: 100),
        .emmet: EditSettings(method: .emmet, layers: [5], secondMomentWeight: 1),
      ]),
    Preset(
      name: "gpt2-xl", family: "gpt2", layerCount: 48, hiddenSize: 1600,
      settings: [
        .rome: EditSettings(method: .rome, layers: [17], steps: 20, weightDecay: 0.5),
        .memit: EditSettings(
          method: .memit, layers: [13, 14, 15, 16, 17], steps: 20, clampNormFactor: 0.75, weightDecay: 0.5,
          secondMomentWeight: 20000),
        .emmet: EditSettings(
          method: .emmet, layers: [17], steps: 20, clampNormFactor: 0.75, weightDecay: 0.5, secondMomentWeight: 10000),
      ]),
    Preset(
      name: "llama-2-7b", family: "llama", layerCount: 32, hiddenSize: 4096,
      settings: [
        .rome: EditSettings(method: .rome, layers: [5]),
        .memit: EditSettings(method: .memit, layers: [4, 5, 6, 7, 8], secondMomentWeight: 15000),
        .emmet: EditSettings(method: .emmet, layers: [5], secondMomentWeight: 100_000),
      ]),
  ]
}
