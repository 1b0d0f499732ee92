import Facts
import LinearAlgebra
import Tensors
import Transformer

/// One fact as the value search sees it.
public struct ValueProblem: Sendable {
  /// How messages name the fact.
  public let label: String
  /// One per context template, the bare prompt first.
  public let prompts: [TokenizedPrompt]
  public let target: [Int32]
  /// `"{} is a"`, at whose lookup the distribution of the next token is held.
  public let essence: TokenizedPrompt

  public init(label: String, prompts: [TokenizedPrompt], target: [Int32], essence: TokenizedPrompt) {
    self.label = label
    self.prompts = prompts
    self.target = target
    self.essence = essence
  }
}

/// Where a delta is added, which decides the value that it is added to.
public enum ValueSite: Sendable {
  /// The output of the block: MEMIT and EMMET.
  case blockOutput
  /// The output of the perceptron: ROME, and every method on a model that normalizes it before it joins the stream
  /// (Gemma 2), where no down-projection could give most values of the block.
  case perceptronOutput

  init(_ method: EditMethod, _ architecture: Architecture) {
    self = method == .rome || architecture.normalizesDownOutput ? .perceptronOutput : .blockOutput
  }
}

/// One evaluation of the loss.
public struct ValueSearchStep: Sendable {
  public let loss: Double
  public let negativeLogLikelihood: Double
  public let divergence: Double
  public let weightDecay: Double
  public let deltaNorm: Double
}

/// The value that a search found for a fact.
public struct FoundValue: Sendable {
  /// v0, what the bare prompt gives without an edit.
  public let initial: [Float]
  public let delta: [Float]
  public let steps: [ValueSearchStep]

  /// z = v0 + delta.
  public var value: [Float] { zip(initial, delta).map { $0 + $1 } }
}

/// Searches the vector that makes the model say the new target (ARCHITECTURE: keys and values; MEMIT, section 4.2.1):
///
///     loss = mean over prompts of (NLL of the target / its length)
///            + klFactor KL(with delta || without) at the lookup of "{} is a"
///            + weightDecay norm(delta) / norm(v0)^2
///
/// Adam on `delta`, which is added to the output of `layer` at every lookup. Rows before the lookups and layers up to
/// `layer` do not depend on it: they are computed once, and a step computes only what does.
public struct ValueSearch {
  private let decoder: Decoder
  private let layer: Int
  private let site: ValueSite
  private let settings: EditSettings
  private let memoryBudget: Int

  /// - Parameter memoryBudget: bytes that the facts searched together may take; one fact is always searched.
  public init(
    _ decoder: Decoder, layer: Int, site: ValueSite, settings: EditSettings, memoryBudget: Int? = nil
  ) {
    self.decoder = decoder
    self.layer = layer
    self.site = site
    self.settings = settings
    self.memoryBudget = memoryBudget ?? Self.defaultMemoryBudget(decoder.architecture)
  }

  /// A third of what the weights take in float32: a dozen facts of a hundred million weights, whose products are about
  /// as fast as those of more facts. No more than 512 MiB, which holds few facts of a large model.
  private static func defaultMemoryBudget(_ architecture: Architecture) -> Int {
    let hidden = architecture.hiddenSize
    let layer = hidden * (4 * hidden + 3 * architecture.intermediateSize)
    let weights = architecture.layerCount * layer + architecture.vocabularySize * hidden
    return min(max(4 * weights / 3, 128 << 20), 512 << 20)
  }

  /// - Parameters:
  ///   - onStep: called after each step with the number of facts found and a remark; false stops the search.
  ///   - onFound: called with the indices and values of the facts of a batch when all of them are found.
  /// - Returns: a value for each problem; nil if the search was stopped.
  /// - Throws: an `ErrataError` if a loss is not finite or a prompt does not fit the model.
  public func search(
    _ problems: [ValueProblem], onStep: (Int, String) -> Bool = { _, _ in true },
    onFound: ([(index: Int, value: FoundValue)]) throws -> Void = { _ in }
  ) throws -> [FoundValue]? {
    var results: [FoundValue] = []
    while results.count < problems.count {
      let start = results.count
      let batch = try Profile.measure("constant rows") {
        try ValueSearchBatch(
          decoder, problems: Array(problems[start...]), layer: layer, site: site, memoryBudget: memoryBudget)
      }
      // Of a stopped batch nothing is kept: the rest, searched in other company, would round differently, and the run
      // that goes on would not come to the values of an undisturbed one.
      guard let found = try search(batch, onStep: { done, remark in onStep(start + done, remark) }) else { return nil }
      try onFound(found.enumerated().map { (start + $0, $1) })
      results += found
    }
    return results
  }

  /// - Returns: for each fact of the batch its value; nil if `onStep` said stop before all were found.
  private func search(_ batch: ValueSearchBatch, onStep: (Int, String) -> Bool) throws -> [FoundValue]? {
    let count = batch.factCount
    let size = decoder.architecture.hiddenSize
    var deltas = [[Float]](repeating: Array(repeating: 0, count: size), count: count)
    var optimizers = [AdamOptimizer](
      repeating: AdamOptimizer(count: size, learningRate: settings.learningRate), count: count)
    var histories = [[ValueSearchStep]](repeating: [], count: count)
    var active = Array(0..<count)
    for step in 0..<settings.steps where !active.isEmpty {
      let evaluations = try Profile.measure("steps") {
        try batch.evaluate(active, deltas: deltas, klFactor: settings.klFactor)
      }
      var continued: [Int] = []
      for (fact, evaluation) in zip(active, evaluations) {
        let initialNorm = norm(batch.initial[fact])
        let deltaNorm = norm(deltas[fact])
        let decay = settings.weightDecay * deltaNorm / (initialNorm * initialNorm)
        let loss = evaluation.negativeLogLikelihood + evaluation.divergence + decay
        guard loss.isFinite else { throw ErrataError.valueNotFinite(batch.problems[fact].label) }
        histories[fact].append(
          ValueSearchStep(
            loss: loss, negativeLogLikelihood: evaluation.negativeLogLikelihood, divergence: evaluation.divergence,
            weightDecay: decay, deltaNorm: deltaNorm))
        if loss < settings.stopLoss || step == settings.steps - 1 { continue }
        var gradient = evaluation.gradient
        if deltaNorm > 0 {
          let slope = Float(settings.weightDecay / (deltaNorm * initialNorm * initialNorm))
          for index in gradient.indices { gradient[index] += slope * deltas[fact][index] }
        }
        optimizers[fact].update(&deltas[fact], gradient: gradient)
        clamp(&deltas[fact], to: settings.clampNormFactor * initialNorm)
        continued.append(fact)
      }
      active = continued
      let mean = histories.reduce(0) { $0 + $1.last!.loss } / Double(count)
      guard onStep(count - active.count, "step \(step + 1), mean loss \(formatLoss(mean))") else { break }
    }
    guard active.isEmpty else { return nil }
    return (0..<count).map { FoundValue(initial: batch.initial[$0], delta: deltas[$0], steps: histories[$0]) }
  }

  private func clamp(_ delta: inout [Float], to largest: Double) {
    let length = norm(delta)
    guard length > largest else { return }
    let scale = Float(largest / length)
    for index in delta.indices { delta[index] *= scale }
  }

  private func formatLoss(_ loss: Double) -> String {
    // A diverging loss can be more than an Int counts.
    loss < 1e9 ? String(Double(Int((loss * 1000).rounded())) / 1000) : String(loss)
  }
}

/// The Euclidean norm, summed in binary64.
func norm(_ vector: [Float]) -> Double {
  vector.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
}
