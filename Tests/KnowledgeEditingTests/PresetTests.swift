import Tensors
import TestSupport
import Testing

@testable import KnowledgeEditing
@testable import Transformer

/// The architecture that a `config.json` describes, all tensors taken as there.
func architecture(_ configuration: JSON) throws -> Architecture {
  let directory = try TemporaryDirectory()
  try AtomicFile.write(configuration.serialized(), to: directory("config.json"))
  let parsed = try Configuration(contentsOf: directory("config.json"))
  let family = try #require(Family.all.first { $0.modelType == parsed.modelType })
  return try family.describe(parsed) { _ in true }
}

@Suite struct PresetTests {
  struct Published: Sendable, CustomTestStringConvertible {
    let name: String
    /// The fields of the model's own `config.json` that decide.
    let configuration: JSON
    let rome: EditSettings
    let memit: EditSettings?
    let emmet: EditSettings?

    var testDescription: String { name }
  }

  private static func llama(_ type: JSON, layers: JSON, hidden: JSON, intermediate: JSON) -> JSON {
    [
      "model_type": type, "num_hidden_layers": layers, "hidden_size": hidden, "intermediate_size": intermediate,
      "num_attention_heads": type == "qwen2" ? 28 : 32, "vocab_size": 32000, "hidden_act": "silu",
    ]
  }

  private static func gpt(_ type: JSON, layers: JSON, hidden: JSON, heads: JSON) -> JSON {
    [
      "model_type": type, "n_layer": layers, "n_embd": hidden, "n_head": heads, "vocab_size": 50257,
      "activation_function": "gelu_new",
    ]
  }

  private static func settings(
    _ method: EditMethod, _ layers: ClosedRange<Int>, clamp: Double, rate: Double = 0.5, steps: Int, decay: Double,
    weight: Double = 100
  ) -> EditSettings {
    EditSettings(
      method: method, layers: Array(layers), learningRate: rate, steps: steps, clampNormFactor: clamp,
      weightDecay: decay, klFactor: 0.0625, secondMomentWeight: weight, alpha: 0.1)
  }

  /// The table of the published hyperparameters.
  static let published = [
    Published(
      name: "gpt2-xl", configuration: gpt("gpt2", layers: 48, hidden: 1600, heads: 25),
      rome: settings(.rome, 17...17, clamp: 4, steps: 20, decay: 0.5),
      memit: settings(.memit, 13...17, clamp: 0.75, steps: 20, decay: 0.5, weight: 20000),
      emmet: settings(.emmet, 17...17, clamp: 0.75, steps: 20, decay: 0.5, weight: 10000)),
    Published(
      name: "gpt-j-6b", configuration: gpt("gptj", layers: 28, hidden: 4096, heads: 16),
      rome: settings(.rome, 5...5, clamp: 4, steps: 20, decay: 0.5),
      memit: settings(.memit, 3...8, clamp: 0.75, steps: 25, decay: 0.5, weight: 15000),
      emmet: settings(.emmet, 5...5, clamp: 0.75, steps: 25, decay: 0.5, weight: 100_000)),
    Published(
      name: "llama-2-7b", configuration: llama("llama", layers: 32, hidden: 4096, intermediate: 11008),
      rome: settings(.rome, 5...5, clamp: 4, steps: 25, decay: 1e-3),
      memit: settings(.memit, 4...8, clamp: 4, steps: 25, decay: 1e-3, weight: 15000),
      emmet: settings(.emmet, 5...5, clamp: 4, steps: 25, decay: 1e-3, weight: 100_000)),
    Published(
      name: "llama-3-8b", configuration: llama("llama", layers: 32, hidden: 4096, intermediate: 14336),
      rome: settings(.rome, 5...5, clamp: 4, steps: 25, decay: 1e-3),
      memit: settings(.memit, 4...8, clamp: 0.75, rate: 0.1, steps: 25, decay: 0.5, weight: 15000),
      emmet: settings(.emmet, 5...5, clamp: 0.75, steps: 25, decay: 0.5, weight: 100_000)),
    Published(
      name: "llama-3.2-1b", configuration: llama("llama", layers: 16, hidden: 2048, intermediate: 8192),
      rome: settings(.rome, 5...5, clamp: 4, steps: 25, decay: 1e-3),
      memit: settings(.memit, 4...8, clamp: 4, steps: 25, decay: 1e-3, weight: 15000), emmet: nil),
    Published(
      name: "glm-4-9b", configuration: llama("glm", layers: 40, hidden: 4096, intermediate: 13696),
      rome: settings(.rome, 5...5, clamp: 4, steps: 25, decay: 1e-3), memit: nil, emmet: nil),
    Published(
      name: "mistral-7b", configuration: llama("mistral", layers: 32, hidden: 4096, intermediate: 14336),
      rome: settings(.rome, 5...5, clamp: 4, steps: 25, decay: 1e-3),
      memit: settings(.memit, 4...8, clamp: 4, steps: 25, decay: 1e-3, weight: 15000), emmet: nil),
    Published(
      name: "qwen2.5-7b", configuration: llama("qwen2", layers: 28, hidden: 3584, intermediate: 18944),
      rome: settings(.rome, 5...5, clamp: 4, steps: 25, decay: 1e-3),
      memit: settings(.memit, 4...8, clamp: 4, steps: 25, decay: 1e-3, weight: 15000), emmet: nil),
  ]

  @Test(arguments: published) func chosenByArchitecture(_ model: Published) throws {
    let architecture = try architecture(model.configuration)
    let preset = try #require(Preset.matching(architecture))
    #expect(preset.name == model.name)
    #expect(Preset.named(model.name)?.settings(for: .rome) == model.rome)
    #expect(Preset.settings(.rome, for: architecture) == model.rome)
    for (method, published) in [(EditMethod.memit, model.memit), (.emmet, model.emmet)] {
      #expect(preset.covers(method) == (published != nil))
      var expected = published ?? model.rome
      expected.method = method
      #expect(Preset.settings(method, for: architecture) == expected)
    }
  }

  @Test func everyPresetHasItsOwnNameAndArchitecture() {
    #expect(Set(Preset.all.map(\.name)).count == Preset.all.count)
    #expect(
      Set(Preset.all.map { "\($0.family) \($0.layerCount) \($0.hiddenSize) \($0.intermediateSize)" }).count
        == Preset.all.count)
    for preset in Preset.all {
      for method in EditMethod.allCases {
        let settings = preset.settings(for: method)
        #expect(settings.method == method)
        #expect(settings.layers.allSatisfy { $0 < preset.layerCount })
      }
    }
  }

  @Test func otherModelsGetOneLayerLowInTheStack() throws {
    let unknown = try architecture(Self.llama("llama", layers: 36, hidden: 4096, intermediate: 11008))
    #expect(Preset.matching(unknown) == nil)
    #expect(Preset.settings(.emmet, for: unknown).layers == [6])
    #expect(Preset.named("gpt-5") == nil)
  }
}
