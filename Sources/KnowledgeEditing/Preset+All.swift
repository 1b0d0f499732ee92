extension Preset {
  /// The sample model and SmolLM2 as measured by us; the others as in the published hyperparameter files (rome, memit,
  /// unified-model-editing, EasyEdit).
  public static let all: [Preset] = [
    Preset(
      name: "errata-sample", family: "llama", layerCount: 6, hiddenSize: 128, intermediateSize: 512,
      settings: [
        EditSettings(method: .rome, layers: [1]),
        EditSettings(method: .memit, layers: [0, 1, 2], secondMomentWeight: 100),
        EditSettings(method: .emmet, layers: [1], secondMomentWeight: 1),
      ]),
    Preset(
      name: "smollm2-135m", family: "llama", layerCount: 30, hiddenSize: 576, intermediateSize: 1536,
      settings: [
        EditSettings(method: .rome, layers: [5]),
        EditSettings(method: .memit, layers: [3, 4, 5], secondMomentWeight: 100),
        EditSettings(method: .emmet, layers: [5], secondMomentWeight: 1),
      ]),
    Preset(
      name: "gpt2-xl", family: "gpt2", layerCount: 48, hiddenSize: 1600, intermediateSize: 6400,
      settings: [
        EditSettings(method: .rome, layers: [17], steps: 20, weightDecay: 0.5),
        EditSettings(
          method: .memit, layers: Array(13...17), steps: 20, clampNormFactor: 0.75, weightDecay: 0.5,
          secondMomentWeight: 20000),
        EditSettings(
          method: .emmet, layers: [17], steps: 20, clampNormFactor: 0.75, weightDecay: 0.5, secondMomentWeight: 10000),
      ]),
    Preset(
      name: "gpt-j-6b", family: "gptj", layerCount: 28, hiddenSize: 4096, intermediateSize: 16384,
      settings: [
        EditSettings(method: .rome, layers: [5], steps: 20, weightDecay: 0.5),
        EditSettings(
          method: .memit, layers: Array(3...8), clampNormFactor: 0.75, weightDecay: 0.5, secondMomentWeight: 15000),
        EditSettings(
          method: .emmet, layers: [5], clampNormFactor: 0.75, weightDecay: 0.5, secondMomentWeight: 100_000),
      ]),
    // Of Llama 1 too, whose architecture is the same.
    Preset(
      name: "llama-2-7b", family: "llama", layerCount: 32, hiddenSize: 4096, intermediateSize: 11008,
      settings: [
        EditSettings(method: .rome, layers: [5]),
        EditSettings(method: .memit, layers: Array(4...8), secondMomentWeight: 15000),
        EditSettings(method: .emmet, layers: [5], secondMomentWeight: 100_000),
      ]),
    Preset(
      name: "llama-3-8b", family: "llama", layerCount: 32, hiddenSize: 4096, intermediateSize: 14336,
      settings: [
        EditSettings(method: .rome, layers: [5]),
        EditSettings(
          method: .memit, layers: Array(4...8), learningRate: 0.1, clampNormFactor: 0.75, weightDecay: 0.5,
          secondMomentWeight: 15000),
        EditSettings(
          method: .emmet, layers: [5], clampNormFactor: 0.75, weightDecay: 0.5, secondMomentWeight: 100_000),
      ]),
    Preset(
      name: "mistral-7b", family: "mistral", layerCount: 32, hiddenSize: 4096, intermediateSize: 14336,
      settings: [
        EditSettings(method: .rome, layers: [5]),
        EditSettings(method: .memit, layers: Array(4...8), secondMomentWeight: 15000),
      ]),
    Preset(
      name: "qwen2.5-7b", family: "qwen2", layerCount: 28, hiddenSize: 3584, intermediateSize: 18944,
      settings: [
        EditSettings(method: .rome, layers: [5]),
        EditSettings(method: .memit, layers: Array(4...8), secondMomentWeight: 15000),
      ]),
  ]
}
