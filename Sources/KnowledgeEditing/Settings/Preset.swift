import Transformer

/// Settings published for a model, or measured by us where none are published.
public struct Preset: Sendable {
  public let name: String
  /// Who published the settings, and where.
  public let source: String
  /// What a checkpoint must look like for the preset to be chosen by itself.
  let family: String
  let layerCount: Int
  let hiddenSize: Int
  let intermediateSize: Int
  private let settings: [EditMethod: EditSettings]

  init(
    name: String, source: String, family: String, layerCount: Int, hiddenSize: Int, intermediateSize: Int,
    settings: [EditSettings]
  ) {
    self.name = name
    self.source = source
    self.family = family
    self.layerCount = layerCount
    self.hiddenSize = hiddenSize
    self.intermediateSize = intermediateSize
    self.settings = Dictionary(uniqueKeysWithValues: settings.map { ($0.method, $0) })
  }

  /// The preset whose architecture is the model's.
  public static func matching(_ architecture: Architecture) -> Preset? {
    all.first {
      $0.family == architecture.family && $0.layerCount == architecture.layerCount
        && $0.hiddenSize == architecture.hiddenSize && $0.intermediateSize == architecture.intermediateSize
    }
  }

  public static func named(_ name: String) -> Preset? { all.first { $0.name == name } }

  /// Whether there are settings of its own for a method.
  public func covers(_ method: EditMethod) -> Bool { settings[method] != nil }

  /// The settings for a method; where there are none, the layer and the search of ROME, which there are for every
  /// model.
  public func settings(for method: EditMethod) -> EditSettings {
    if let own = settings[method] { return own }
    var settings = settings[.rome]!
    settings.method = method
    return settings
  }

  /// What is used where no preset fits: one layer, and what works on small Llama models. `LayerProposal` finds a better
  /// layer where there are second moments.
  public static func fallback(_ method: EditMethod, _ architecture: Architecture) -> EditSettings {
    EditSettings(method: method, layers: [LayerProposal.layer(of: architecture.layerCount)])
  }

  /// The settings of the preset that fits the model, or of the fallback.
  public static func settings(_ method: EditMethod, for architecture: Architecture) -> EditSettings {
    matching(architecture)?.settings(for: method) ?? fallback(method, architecture)
  }
}
