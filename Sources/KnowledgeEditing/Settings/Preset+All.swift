extension Preset {
  /// The sample model and SmolLM2 as measured by us; the others as in the published hyperparameter files (rome, memit,
  /// unified-model-editing, EasyEdit).
  public static let all: [Preset] = [
    Preset(
      name: "errata-sample", source: "measured by us", family: "llama", layerCount: 6, hiddenSize: 128,
      intermediateSize: 512,
      settings: [
        EditSettings(method: .rome, layers: [1]),
        EditSettings(method: .memit, layers: [0, 1, 2], secondMomentWeight: 100),
        EditSettings(method: .emmet, layers: [1], secondMomentWeight: 1),
      ]),
    Preset(
      name: "smollm2-135m", source: "measured by us", family: "llama", layerCount: 30, hiddenSize: 576,
      intermediateSize: 1536,
      settings: [
        EditSettings(method: .rome, layers: [5]),
        EditSettings(method: .memit, layers: [3, 4, 5], secondMomentWeight: 100),
        EditSettings(method: .emmet, layers: [5], secondMomentWeight: 1),
      ]),
    Preset(
      name: "gpt2-xl", source: "rome, memit, unified-model-editing", family: "gpt2", layerCount: 48, hiddenSize: 1600,
      intermediateSize: 6400,
      settings: [
        EditSettings(method: .rome, layers: [17], steps: 20, weightDecay: 0.5),
        EditSettings(
          method: .memit, layers: Array(13...17), steps: 20, clampNormFactor: 0.75, weightDecay: 0.5,
          secondMomentWeight: 20000),
        EditSettings(
          method: .emmet, layers: [17], steps: 20, clampNormFactor: 0.75, weightDecay: 0.5, secondMomentWeight: 10000),
      ]),
    // The smaller ones: rome's hparams/ROME, gpt2-medium.json and gpt2-large.json, which EasyEdit carries on.
    Preset(
      name: "gpt2-large", source: "rome, EasyEdit", family: "gpt2", layerCount: 36, hiddenSize: 1280,
      intermediateSize: 5120,
      settings: [EditSettings(method: .rome, layers: [12], steps: 20, weightDecay: 0.5)]),
    Preset(
      name: "gpt2-medium", source: "rome, EasyEdit", family: "gpt2", layerCount: 24, hiddenSize: 1024,
      intermediateSize: 4096,
      settings: [EditSettings(method: .rome, layers: [8], steps: 20, clampNormFactor: 3, weightDecay: 0.5)]),
    Preset(
      name: "gpt-j-6b", source: "rome, memit, unified-model-editing", family: "gptj", layerCount: 28, hiddenSize: 4096,
      intermediateSize: 16384,
      settings: [
        EditSettings(method: .rome, layers: [5], steps: 20, weightDecay: 0.5),
        EditSettings(
          method: .memit, layers: Array(3...8), clampNormFactor: 0.75, weightDecay: 0.5, secondMomentWeight: 15000),
        EditSettings(
          method: .emmet, layers: [5], clampNormFactor: 0.75, weightDecay: 0.5, secondMomentWeight: 100_000),
      ]),
    // Of Llama 1 too, whose architecture is the same.
    Preset(
      name: "llama-2-7b", source: "EasyEdit, unified-model-editing", family: "llama", layerCount: 32, hiddenSize: 4096,
      intermediateSize: 11008,
      settings: [
        EditSettings(method: .rome, layers: [5]),
        EditSettings(method: .memit, layers: Array(4...8), secondMomentWeight: 15000),
        EditSettings(method: .emmet, layers: [5], secondMomentWeight: 100_000),
      ]),
    Preset(
      name: "llama-3-8b", source: "EasyEdit, AlphaEdit, unified-model-editing", family: "llama", layerCount: 32,
      hiddenSize: 4096, intermediateSize: 14336,
      settings: [
        EditSettings(method: .rome, layers: [5]),
        EditSettings(
          method: .memit, layers: Array(4...8), learningRate: 0.1, clampNormFactor: 0.75, weightDecay: 0.5,
          secondMomentWeight: 15000),
        EditSettings(
          method: .emmet, layers: [5], clampNormFactor: 0.75, weightDecay: 0.5, secondMomentWeight: 100_000),
      ]),
    // Llama 3.2: EasyEdit's hparams/ROME, hparams/MEMIT and hparams/EMMET, llama3.2-1b.yaml and llama3.2-3b.yaml.
    Preset(
      name: "llama-3.2-1b", source: "EasyEdit", family: "llama", layerCount: 16, hiddenSize: 2048,
      intermediateSize: 8192,
      settings: [
        EditSettings(method: .rome, layers: [5]),
        EditSettings(method: .memit, layers: Array(4...8), secondMomentWeight: 15000),
      ]),
    Preset(
      name: "llama-3.2-3b", source: "EasyEdit", family: "llama", layerCount: 28, hiddenSize: 3072,
      intermediateSize: 8192,
      settings: [
        EditSettings(method: .rome, layers: [5]),
        EditSettings(method: .memit, layers: Array(4...8), secondMomentWeight: 15000),
        EditSettings(method: .emmet, layers: [5], secondMomentWeight: 100_000),
      ]),
    Preset(
      name: "mistral-7b", source: "EasyEdit", family: "mistral", layerCount: 32, hiddenSize: 4096,
      intermediateSize: 14336,
      settings: [
        EditSettings(method: .rome, layers: [5]),
        EditSettings(method: .memit, layers: Array(4...8), secondMomentWeight: 15000),
      ]),
    // EasyEdit's hparams/ROME, chatglm4-9b.yaml, for the same weights before they had transformers' names.
    Preset(
      name: "glm-4-9b", source: "EasyEdit", family: "glm", layerCount: 40, hiddenSize: 4096, intermediateSize: 13696,
      settings: [EditSettings(method: .rome, layers: [5])]),
    // Of Qwen2 too, whose architecture is the same.
    Preset(
      name: "qwen2.5-7b", source: "EasyEdit", family: "qwen2", layerCount: 28, hiddenSize: 3584,
      intermediateSize: 18944,
      settings: [
        EditSettings(method: .rome, layers: [5]),
        EditSettings(method: .memit, layers: Array(4...8), secondMomentWeight: 15000),
      ]),
  ]
}
