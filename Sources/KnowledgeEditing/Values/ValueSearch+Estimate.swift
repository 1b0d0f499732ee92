import Dispatch
import Facts
import LinearAlgebra
import Tensors
import WeightPatch

extension ValueSearch {
  /// What a search costs on this machine.
  public struct Estimate: Sendable {
    /// At most: a fact whose loss is small enough ends earlier.
    public let seconds: Double
    /// Of memory, beside the model's weights: what a batch of facts and the factors of C take.
    public let byteCount: Int
  }

  /// For facts, with the settings of an edit.
  ///
  /// - Throws: an `ErrataError` if a fact does not fit the model, or a layer is not there.
  public static func estimate(
    _ facts: [Manifest.Fact], _ model: LanguageModel, _ settings: EditSettings, _ templates: ContextTemplates
  ) throws -> Estimate {
    try model.check(layers: settings.layers)
    let tokenization = PromptTokenization(model.tokenizer)
    let search = ValueSearch(
      model.decoder, layer: settings.layers.last!, site: ValueSite(settings.method, model.architecture),
      settings: settings)
    return try search.estimate(
      facts.map { try ValueProblem($0, templates, tokenization) },
      keyLength: model.architecture.layers[settings.layers.last!].intermediateSize)
  }

  /// Measures one step of the first batch that would be searched, and counts steps and batches.
  ///
  /// - Parameter keyLength: the rows of C.
  /// - Throws: an `ErrataError` if a prompt does not fit the model.
  func estimate(_ problems: [ValueProblem], keyLength: Int) throws -> Estimate {
    let solver = 2 * PackedTriangle.count(keyLength) * MemoryLayout<Double>.stride
    guard !problems.isEmpty else { return Estimate(seconds: 0, byteCount: solver) }
    let start = DispatchTime.now().uptimeNanoseconds
    let batch = try firstBatch(problems)
    let built = DispatchTime.now().uptimeNanoseconds
    let facts = Array(0..<batch.factCount)
    let zeros = [[Float]](repeating: batch.initial[0].map { _ in 0 }, count: batch.factCount)
    _ = try batch.evaluate(facts, deltas: zeros, klFactor: settings.klFactor)
    let evaluated = DispatchTime.now().uptimeNanoseconds
    let batches = Double(problems.count) / Double(batch.factCount)
    let once = Double(built - start) + Double(settings.steps) * Double(evaluated - built)
    return Estimate(seconds: batches * once * 1e-9, byteCount: memoryBudget + solver)
  }
}

extension ValueProblem {
  /// A fact in some contexts.
  ///
  /// - Throws: an `ErrataError` if the fact's prompt has no slot or its tokens cannot be found.
  public init(_ fact: Manifest.Fact, _ templates: ContextTemplates, _ tokenization: PromptTokenization) throws {
    self.init(
      label: fact.label, prompts: try templates.templates.map { try tokenization.prompt(fact, template: $0) },
      target: try tokenization.target(fact), essence: try tokenization.essence(fact))
  }
}
